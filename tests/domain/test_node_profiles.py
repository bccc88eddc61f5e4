"""What is known of a node: its name, its labels, the facts that its machine told."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from nc.domain import operator_errors
from nc.domain.decide import decide
from nc.domain.names import is_name, newcomer_name
from nc.domain.nodes import Unregister
from nc.domain.profile import Facts
from nc.domain.references import node_meant
from nc.domain.updates import ReportFacts, UpdateNode
from tests.support.histories import after, connect, disconnect, refusal, refused, register, started


@given(st.text(), st.sampled_from(["", "a-", "edge"]), st.sets(st.integers(2, 50)))
def test_every_newcomer_gets_a_name_that_is_free(
    wanted: str, prefix: str, numbers: set[int]
) -> None:
    """Whatever a machine calls itself, and whichever names are taken: it is next to a taken one."""
    first = newcomer_name(prefix, wanted, "0123456789abcdef", lambda _: False)
    taken = {first, *(f"{first[:60]}-{number}" for number in numbers)}
    name = newcomer_name(prefix, wanted, "0123456789abcdef", taken.__contains__)
    assert is_name(first)
    assert is_name(name)
    assert name not in taken
    number = int(name.rpartition("-")[2])
    assert number == 2 or f"{first[:60]}-{number - 1}" in taken


def test_a_name_has_one_node() -> None:
    """It is free again once its node is renamed or gone, and is never what could be a token."""
    state = after(started(), *register("a", "b"), UpdateNode("a", "shop"))
    assert refused(state, UpdateNode("b", "shop")) is operator_errors.NodeNameTaken
    assert refused(state, UpdateNode("b", "c0ffee00c0ffee00")) is operator_errors.NodeNameInvalid
    assert decide(state, UpdateNode("a", "shop")) == []
    for freed in (UpdateNode("a", "store"), Unregister("a")):
        assert refused(after(state, freed), UpdateNode("b", "shop")) is None


def test_labels_and_notes_are_changed_one_by_one() -> None:
    """What is not named stays."""
    state = after(
        started(), *register("a"), UpdateNode("a", None, {"x": "1", "y": "2"}, note="cellar")
    )
    state = after(state, UpdateNode("a", None, {"y": "3"}, ("x",)))
    profile = state.nodes["a"].profile
    assert (profile.labels, profile.note) == ((("y", "3"),), "cellar")
    assert refused(state, UpdateNode("a", None, {"no key": ""})) is operator_errors.LabelInvalid


def test_facts_are_recorded_once() -> None:
    """Known facts lead to no event, and what a machine leaves out stays."""

    def told(**facts: str) -> ReportFacts:
        return ReportFacts("a", "link-a", Facts(**facts))

    state = after(started(), *register("a"), *connect("a"), told(hostname="host", peer_address="1"))
    assert decide(state, told(peer_address="1")) == []
    state = after(state, told(peer_address="2"))
    assert state.nodes["a"].profile.facts == Facts("host", peer_address="2")


def test_facts_of_an_older_link_are_passed_over() -> None:
    """They come late, after those of the newer link, or after all links."""
    state = after(started(), *register("a"), *connect("a"))
    older = ReportFacts("a", "link-0", Facts("old"))
    assert decide(state, older) == []
    assert decide(after(state, *disconnect("a")), replace(older, link_id="link-a")) == []


def test_a_node_is_meant_by_whatever_names_it() -> None:
    """Its id, the beginning of it, its name, its address, its token."""
    ids = ["0123" + "a" * 28, "0123" + "b" * 28]
    state = after(started(), *register(*ids), *connect(*ids), UpdateNode(ids[0], "shop"))
    for reference in (ids[0], "0123a", "shop", "10.1.1.3", "its token"):
        assert node_meant(state, reference, {"its token": ids[0]}.get) == ids[0]  # type: ignore[arg-type]
    for reference, expected in (
        ("0123", operator_errors.NodeReferenceAmbiguous),
        ("012", operator_errors.NodeReferenceUnknown),
        ("", operator_errors.NodeReferenceUnknown),
    ):
        found = refusal(lambda text=reference: node_meant(state, text, str))  # type: ignore[misc]
        assert found is expected
