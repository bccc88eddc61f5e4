"""What operators decide: terms of tokens, names, addresses of their choice, administrators."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.domain import errors, operator_errors
from nc.domain.administrators import (
    AddAdministrator,
    InstallAdministrator,
    RevokeAdministrator,
)
from nc.domain.assignments import AssignAddress
from nc.domain.decide import DECISIONS, Command, decide
from nc.domain.departures import UnregisterNodes, UnregisterNodesOfToken
from nc.domain.events import Certificate, pb
from nc.domain.evolve import evolve
from nc.domain.limits import DEFAULT_RECLAIM_AFTER_MS
from nc.domain.links import AcceptLink, HandOverAddress
from nc.domain.litekube_import import ImportedNode, ImportedToken, ImportLitekube
from nc.domain.names import is_name, newcomer_name
from nc.domain.nodes import Unregister
from nc.domain.profile import Facts
from nc.domain.references import node_meant
from nc.domain.state import State
from nc.domain.terms import Terms
from nc.domain.tokens import IssueToken, RedeemToken, RevokeToken
from nc.domain.updates import RenewCertificates, ReportFacts, UpdateNode
from tests.support.histories import (
    NOW_MS,
    address_of,
    after,
    connect,
    disconnect,
    kinds,
    refusal,
    register,
    started,
)

DAY_MS = 86_400_000
CERTIFICATE = Certificate(serial="1", not_after_ms=NOW_MS + DAY_MS)


def refused(state: State, command: Command) -> type[Exception] | None:
    return refusal(lambda: decide(state, command))


def issued(**terms: object) -> State:
    """A server with the token `u`, which has these terms."""
    made = Terms(**terms)  # type: ignore[arg-type]  # mixed
    return after(started(), IssueToken("u", -1, NOW_MS, terms=made))


def redeem(node_id: str, **more: object) -> RedeemToken:
    return RedeemToken("u", node_id, (), NOW_MS, **more)  # type: ignore[arg-type]  # mixed


def test_every_command_has_a_decision() -> None:
    """The table of decisions and the type of commands name the same."""
    assert set(DECISIONS) == set(Command.__args__)


def test_a_token_registers_as_many_as_it_may() -> None:
    """Uses count for ever, nodes only while they are registered, and the server counts them all."""
    state = after(issued(max_uses=2), redeem("a"), Unregister("a"), redeem("b"))
    assert refused(state, redeem("c")) is errors.BootstrapTokenUsedUp
    state = after(issued(max_nodes=1), redeem("a"))
    assert refused(state, redeem("b")) is errors.TokenNodesReached
    assert refused(after(state, Unregister("a")), redeem("b")) is None
    assert refused(state, RedeemToken("t", "b", (), NOW_MS, max_nodes=1)) is errors.NodesReached


def test_a_revoked_token_registers_nobody_and_its_nodes_stay() -> None:
    """Revoking twice changes nothing; an unknown token cannot be revoked."""
    state = after(issued(), redeem("a"), RevokeToken("u"))
    assert refused(state, redeem("b")) is errors.BootstrapTokenRevoked
    assert decide(state, RevokeToken("u")) == []
    assert "a" in state.nodes
    assert refused(state, RevokeToken("x")) is errors.BootstrapTokenUnknown


def test_a_repeated_attempt_costs_nothing() -> None:
    """The same attempt, token and key are the same node, also once the token is used up."""
    first = redeem("a", attempt_id="f00d", key_sha256="aa")
    state = after(issued(max_uses=1), first)
    events = decide(state, first)
    assert kinds(events) == ["certificates_renewed"]
    assert evolve(state, events).tokens["u"].uses == 1
    assert refused(state, replace(first, key_sha256="cc")) is errors.NotTheNodesKey
    assert refused(after(issued(), first), replace(first, attempt_id="")) is errors.IdTaken


def test_a_newcomer_has_its_tokens_labels_and_prefix() -> None:
    """Named by its hostname behind the prefix, with a number where that is taken."""
    state = issued(node_labels=(("role", "edge"),), node_name_prefix="x-")
    facts = Facts(hostname="Web_1.example")
    state = after(state, redeem("a", facts=facts), redeem("b", facts=facts))
    profiles = [state.nodes[each].profile for each in "ab"]
    assert [each.name for each in profiles] == ["x-web-1", "x-web-1-2"]
    assert profiles[0].labels == (("role", "edge"),)


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


def test_only_a_nodes_own_key_is_renewed() -> None:
    """Not another one, nor one that the server made; an imported node brings its first key."""
    state = after(issued(), redeem("a", key_sha256="aa"), *register("b"))
    renew = RenewCertificates("a", (CERTIFICATE,), "aa", NOW_MS)
    assert after(state, renew).nodes["a"].certificates_end_ms == NOW_MS + DAY_MS
    assert refused(state, replace(renew, key_sha256="bb")) is errors.NotTheNodesKey
    assert refused(state, replace(renew, node_id="b")) is errors.NodeKeyUnknown
    imported = after(started(), ImportLitekube("da7a", (), (ImportedNode("a", ""),)), renew)
    assert not imported.nodes["a"].profile.imported
    assert refused(imported, replace(renew, key_sha256="bb")) is errors.NotTheNodesKey


def test_an_imported_node_is_named_with_its_first_key() -> None:
    """As it asks, or near that if another has the name; a later renewal names nobody."""
    nodes = (ImportedNode("a", ""), ImportedNode("b", ""))
    state = after(started(), ImportLitekube("da7a", (), nodes))
    before = state.nodes["a"].profile.name
    renew = RenewCertificates("a", (CERTIFICATE,), "aa", NOW_MS)
    assert after(state, renew).nodes["a"].profile.name == before
    assert kinds(decide(state, replace(renew, name=before))) == ["certificates_renewed"]
    state = after(state, replace(renew, name="web"))
    state = after(state, replace(renew, node_id="b", key_sha256="bb", name="web"))
    assert [state.nodes[each].profile.name for each in "ab"] == ["web", "web-2"]
    state = after(state, replace(renew, name="other"))
    assert state.nodes["a"].profile.name == "web"


def test_an_assigned_address_is_its_nodes() -> None:
    """The node's link is dropped for it, nobody else gets it, and it is not reclaimed."""
    state = after(started("10.1.1.1/29"), *register("a", "b", "c"), *connect("a"))
    events = decide(state, AssignAddress("a", "10.1.1.5"))
    assert kinds(events) == ["state_changed", "address_released", "address_bound"]
    state = evolve(state, events)
    assert decide(state, AssignAddress("a", "10.1.1.5")) == []
    assert refused(state, AssignAddress("b", "10.1.1.5")) is operator_errors.AddressTaken
    assert refused(state, AssignAddress("b", "10.1.1.4")) is operator_errors.AddressNotAssignable
    state = after(state, *connect("b"))
    assert refused(state, connect("c")[0]) is errors.AddressPoolExhausted
    state = after(state, AssignAddress("a", ""), *connect("c"))
    assert (address_of(state, "a"), address_of(state, "c")) == ("", "10.1.1.5")


@pytest.mark.parametrize(
    ("idle_ms", "expected"),
    [(DEFAULT_RECLAIM_AFTER_MS - 1, errors.AddressRecentlyHeld), (DEFAULT_RECLAIM_AFTER_MS, None)],
)
def test_an_address_is_reclaimed_after_a_time(
    idle_ms: int, expected: type[Exception] | None
) -> None:
    """A node that has been off for a shorter time keeps its address."""
    state = after(started("10.1.1.1/29"), *register("a", "b"), *connect("a", "b"))
    for command in disconnect("a"):
        state = evolve(state, decide(state, command), NOW_MS)
    late = NOW_MS + idle_ms
    state = evolve(state, decide(state, *register("c")), late)
    assert refused(state, AcceptLink("c", "l", late)) is expected


def test_with_no_time_set_any_idle_node_gives_its_address_up() -> None:
    """Also one that became idle after the command was made, while that waited in the queue."""
    state = after(started("10.1.1.1/29"), *register("a", "b", "c"), *connect("a", "b"))
    for command in disconnect("a"):
        state = evolve(state, decide(state, command), NOW_MS + 1)
    assert refused(state, AcceptLink("c", "l", NOW_MS, reclaim_after_ms=0)) is None


def test_newcomers_beyond_their_tokens_share_take_no_address() -> None:
    """Of a token that enrols a fleet in a day only the first ones get what others held."""
    late = NOW_MS + 2 * DEFAULT_RECLAIM_AFTER_MS
    old = [f"old-{number}" for number in range(6)]
    state = after(started("10.1.1.1/28"), *register(*old), *connect(*old))
    for command in disconnect(*old):
        state = evolve(state, decide(state, command), NOW_MS)
    new = [f"new-{number}" for number in range(5)]
    for number, command in enumerate(register(*new)):
        state = evolve(state, decide(state, command), late + number)
    results = [refused(state, AcceptLink(node_id, "l", late + DAY_MS)) for node_id in new]
    assert results == [None, None, *[errors.TokenShareReached] * 3]
    accept, hand_over = (kind(new[0], "l", late) for kind in (AcceptLink, HandOverAddress))
    assert address_of(after(state, accept, hand_over), new[0])


def test_all_nodes_of_a_leaked_token_leave_at_once() -> None:
    """With its revocation; of a list all leave, or none."""
    state = after(issued(), redeem("a"), redeem("b"), *register("c"), *connect("a", "c"))
    gone = after(state, UnregisterNodesOfToken("u", 0, revoke=True))
    assert (set(gone.nodes), gone.tokens["u"].nodes) == ({"c"}, 0)
    assert refused(gone, redeem("d")) is errors.BootstrapTokenRevoked
    assert refused(state, UnregisterNodes(("a", "x"), 0)) is errors.NodeUnknown
    assert set(after(state, UnregisterNodes(("a", "b", "a"), 0)).nodes) == {"c"}


def certificate(serial: str) -> Certificate:
    return Certificate(serial=serial, not_after_ms=NOW_MS + DAY_MS)


def test_a_certificate_made_anew_replaces_the_ones_before() -> None:
    """A renewed one does not; from the first on, only known serials are accepted."""
    state = after(State(), InstallAdministrator("admin", certificate("1"), is_renewal=False))
    assert not state.administrators.accepts("7")
    assert State().administrators.accepts("7")
    state = after(state, InstallAdministrator("admin", certificate("2"), is_renewal=True))
    assert [state.administrators.accepts(each) for each in "12"] == [True, True]
    state = after(state, InstallAdministrator("admin", certificate("3"), is_renewal=False))
    assert [state.administrators.accepts(each) for each in "123"] == [False, False, True]


def test_the_last_administrator_stays() -> None:
    """A viewer does not count, nor one whose certificate has ended."""
    state = after(
        State(),
        AddAdministrator("a", pb.ADMINISTRATOR_ROLE_ADMIN, certificate("1")),
        AddAdministrator("eve", pb.ADMINISTRATOR_ROLE_VIEWER, certificate("2")),
    )
    assert refused(state, RevokeAdministrator("1", NOW_MS)) is operator_errors.LastAdministrator
    assert refused(state, RevokeAdministrator("2", NOW_MS)) is None
    assert refused(state, RevokeAdministrator("3", NOW_MS)) is operator_errors.AdministratorUnknown


def test_a_database_is_imported_once_and_whole() -> None:
    """Tokens, nodes and addresses; never over what is here."""
    command = ImportLitekube(
        "da7a", (ImportedToken("v", 0),), (ImportedNode("a", "10.1.1.9"), ImportedNode("b", ""))
    )
    state = after(started(), command)
    assert (set(state.nodes), address_of(state, "a")) == ({"a", "b"}, "10.1.1.9")
    assert refused(state, command) is operator_errors.AlreadyImported
    again = replace(command, database_sha256="other")
    assert refused(state, again) is operator_errors.ImportRefused
    held = ImportLitekube("x", (), (ImportedNode("c", "10.1.1.9"),))
    assert refused(state, held) is operator_errors.ImportRefused


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
