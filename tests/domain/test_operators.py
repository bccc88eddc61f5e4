"""What operators decide: terms of tokens, keys, who leaves, administrators, an import."""

from dataclasses import replace

from nc.domain import errors, operator_errors
from nc.domain.administrators import (
    AddAdministrator,
    InstallAdministrator,
    RevokeAdministrator,
)
from nc.domain.decide import DECISIONS, Command, decide
from nc.domain.departures import UnregisterNodes, UnregisterNodesOfToken
from nc.domain.events import Certificate, pb
from nc.domain.evolve import evolve
from nc.domain.litekube_import import ImportedNode, ImportedToken, ImportLitekube
from nc.domain.nodes import Unregister
from nc.domain.profile import Facts
from nc.domain.state import State
from nc.domain.terms import Terms
from nc.domain.tokens import IssueToken, RedeemToken, RevokeToken
from nc.domain.updates import RenewCertificates
from tests.support.histories import (
    DAY_MS,
    NOW_MS,
    address_of,
    after,
    connect,
    kinds,
    refused,
    register,
    started,
)

CERTIFICATE = Certificate(serial="1", not_after_ms=NOW_MS + DAY_MS)


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
