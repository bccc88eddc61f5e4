"""The model's possible states: what may have happened, and in which order, until it is known."""

import pytest

from nc.testing import (
    CheckState,
    Facts,
    Handshake,
    IssueToken,
    Model,
    Moment,
    OpenLink,
    Redeem,
    SetExpiries,
    Unregister,
)
from nc.testing.contract.possible_states import Asked, PossibleStates
from nc.testing.contract.values import at
from nc.testing.targets.in_process import START_MS

NOW = at(START_MS)


def test_what_ran_at_the_same_time_may_have_any_order() -> None:
    """A query beside UnRegister may see the node or not; after it, it may not."""
    gone, there, unknown = (
        Facts("200", result=True),
        Facts("200", -1, ""),
        Facts("400", -1, ""),
    )
    for seen in (there, unknown):
        states = _world_with_a_node()
        both = [Asked(Unregister("n 1"), NOW, gone), Asked(CheckState("n 1"), NOW, seen)]
        assert states.explain(both) is not None
        assert states.explain([Asked(CheckState("n 1"), NOW, there)]) is None
        assert states.explain([Asked(CheckState("n 1"), NOW, unknown)]) is not None


def test_what_was_never_answered_happened_or_not_but_not_both() -> None:
    """After an unanswered UnRegister either is believed, and from then on only that."""
    for first, second in (
        (Facts("200", -1, ""), Facts("400", -1, "")),
        (Facts("400", -1, ""),) * 2,
    ):
        states = _world_with_a_node()
        assert states.explain([Asked(Unregister("n 1"), NOW, None)]) is not None
        assert states.explain([Asked(CheckState("n 1"), NOW, first)]) is not None
        explained = states.explain([Asked(CheckState("n 1"), NOW, second)])
        assert (explained is not None) == (first == second)


@pytest.mark.parametrize(
    ("first", "then", "second"),
    [
        ((Moment(60_000, 60_050), "400"), Moment(60_050, 60_060), "400"),
        ((Moment(60_050, 60_100), "200"), Moment(60_000, 60_050), "200"),
    ],
)
def test_a_doubtful_expiry_is_decided_once(
    first: tuple[Moment, str], then: Moment, second: str
) -> None:
    """Where it is unknown which came first, either answer will do; what follows from it holds."""
    for is_known in (False, True):
        for code in ("200", "400"):
            states = _world_with_a_node(Moment(0, 100))  # it expires from 60,000 to 60,100
            moment, answered = first
            if is_known:
                assert states.explain([Asked(Redeem("t 1", "n 2"), moment, Facts(answered))])
            again = states.explain([Asked(Redeem("t 1", "n 3"), then, Facts(code))])
            assert (again is not None) == (not is_known or code == second)


def _world_with_a_node(issued: Moment = NOW) -> PossibleStates:
    states = PossibleStates(Model())
    assert states.explain([Asked(IssueToken("t 1", 1), issued, Facts("200"))]) is not None
    assert states.explain([Asked(Redeem("t 1", "n 1"), issued, Facts("200"))]) is not None
    return states


@pytest.mark.parametrize("acts_alone", [True, False])
def test_a_server_may_have_swept_or_not_yet(acts_alone: bool) -> None:
    """An expired node's address may be taken from it, and as yet not, if the server sweeps."""
    for code, is_possible in (("200", acts_alone), ("400", True)):
        states = _linked_world(acts_alone=acts_alone)
        expired = (("n 1", START_MS // 1000 + 60),)
        assert states.explain([Asked(SetExpiries(expired), NOW, Facts("200"))]) is not None
        later = at(START_MS + 60_000)
        asked = [Asked(OpenLink("n 3", "l 3"), later, Facts(code))]
        assert (states.explain(asked) is not None) == is_possible


@pytest.mark.parametrize("acts_alone", [True, False])
def test_a_link_without_a_hello_may_be_closed_after_ten_seconds(acts_alone: bool) -> None:
    """Not before; and one that has its address stays."""
    for ms, node, state, is_possible in (
        (9_999, "n 2", -1, False),
        (10_000, "n 2", -1, acts_alone),
        (10_000, "n 2", 1, True),
        (10_000, "n 1", -1, False),
        (10_000, "n 1", 3, True),
    ):
        states = _linked_world(acts_alone=acts_alone, greeted=("n 1",))
        held = "10.1.1.3" if node == "n 1" else ""
        seen = [Asked(CheckState(node), at(START_MS + ms), Facts("200", state, held))]
        assert (states.explain(seen) is not None) == is_possible


def _linked_world(*, acts_alone: bool, greeted: tuple[str, ...] = ("n 1", "n 2")) -> PossibleStates:
    """Three nodes, two of them with links, in a network with two addresses."""
    states = PossibleStates(Model("10.1.1.1/29", acts_alone=acts_alone))
    assert states.explain([Asked(IssueToken("t 1", 60), NOW, Facts("200"))]) is not None
    for number in (1, 2, 3):
        joined = Asked(Redeem("t 1", f"n {number}"), NOW, Facts("200"))
        assert states.explain([joined]) is not None
    for number, address in ((1, "10.1.1.3"), (2, "10.1.1.5")):
        node, link = f"n {number}", f"l {number}"
        assert states.explain([Asked(OpenLink(node, link), NOW, Facts("200"))]) is not None
        if node in greeted:
            handed_over = Asked(Handshake(node, link), NOW, Facts("200", address=address))
            assert states.explain([handed_over]) is not None
    return states
