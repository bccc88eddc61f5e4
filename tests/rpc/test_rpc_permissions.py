"""The table of rights, every method against every kind of caller."""

import contextlib
from dataclasses import replace

import pytest
from rpds import HashTrieMap

from nc.domain.administrators import Administrator, Administrators
from nc.domain.events import pb
from nc.domain.nodes import Node
from nc.domain.profile import Profile
from nc.domain.state import State
from nc.rpc.callers import ANONYMOUS, INTERNAL, UNRESTRICTED, Caller, CallerKind
from nc.rpc.permissions import (
    Permission,
    PermissionDenied,
    require,
    require_imported,
    require_self,
)
from nc.services import (
    ADMIN_SERVICES,
    BOOTSTRAP_SERVICE,
    CONTROL_SERVICE,
    INTERNAL_SERVICE,
    JOINING_SERVICE,
    NODE_SERVICE,
    path_of,
)
from tests.support.served_methods import served_methods

NOW_MS = 1_900_000_000_000
SOON_MS = NOW_MS + 1
METHODS = {method.name: method for method in served_methods().values()}

EVERYTHING = frozenset(METHODS)
OF_NODES = frozenset(
    {
        *("nc.node.v1.Enrolment/Enrol", "nc.node.v1.Enrolment/Renew"),
        "nc.replica.v1.Joining/Redeem",
    }
)
ANYONE = frozenset({"HelloWorld", "HealthCheck", "GetToken"}) | OF_NODES
MEMBERS = ANYONE | {"CheckConnState", "GetRegistedIp", "UnRegister"}
NOTHING: frozenset[str] = frozenset()
VIEWERS = frozenset(
    (
        *("HelloWorld", "HealthCheck", "CheckConnState", "GetRegistedIp"),
        *(
            f"nc.admin.v1.{name}"
            for name in (
                *("Nodes/List", "Nodes/Get", "Nodes/States"),
                *("BootstrapTokens/List", "Administrators/List", "Replicas/List"),
                *("Events/Read", "Events/Watch"),
                *("History/At", "History/Diff", "History/Why"),
                *("Server/Status", "Server/Links"),
            )
        ),
    )
)

STATE = State(
    nodes=HashTrieMap(
        {
            "node:live": Node("t", 0),
            "node:expires-soon": Node("t", SOON_MS),
            "node:expires-now": Node("t", NOW_MS),
            "node:expired": Node("t", 1),
        }
    ),
    imported=frozenset({"hash of a database"}),
    administrators=Administrators(
        HashTrieMap(
            {
                "600d": Administrator("x", pb.ADMINISTRATOR_ROLE_ADMIN, 0),
                "0dd": Administrator("x", pb.ADMINISTRATOR_ROLE_ADMIN, 0, revoked_at_ms=1),
            }
        ),
        installed="600d",
    ),
)


def _node(node_id: str, not_after_ms: int = SOON_MS) -> Caller:
    return Caller(CallerKind.NODE, "certificate:n:1", node_id, not_after_ms)


def _other(kind: CallerKind, not_after_ms: int = SOON_MS, serial: str = "600d") -> Caller:
    return Caller(kind, f"certificate:x:{serial}", "", not_after_ms, serial)


# The contract, §4.
MAY: dict[str, tuple[Caller, frozenset[str]]] = {
    "plain text": (UNRESTRICTED, EVERYTHING),
    "internal port": (INTERNAL, EVERYTHING),
    "no certificate": (ANONYMOUS, ANYONE),
    "admin": (_other(CallerKind.ADMIN), EVERYTHING),
    "admin whose certificate ends now": (_other(CallerKind.ADMIN, NOW_MS), NOTHING),
    "admin whose certificate was revoked": (_other(CallerKind.ADMIN, serial="0dd"), NOTHING),
    "admin whose certificate is not in the log": (_other(CallerKind.ADMIN, serial="1"), NOTHING),
    "viewer": (_other(CallerKind.VIEWER), VIEWERS),
    "viewer whose certificate ends now": (_other(CallerKind.VIEWER, NOW_MS), NOTHING),
    "viewer whose certificate was revoked": (_other(CallerKind.VIEWER, serial="0dd"), NOTHING),
    "replica": (_other(CallerKind.REPLICA), NOTHING),
    "replica whose certificate ended": (_other(CallerKind.REPLICA, 1), NOTHING),
    "stranger": (_other(CallerKind.STRANGER), NOTHING),
    "stranger whose certificate ended": (_other(CallerKind.STRANGER, 1), NOTHING),
    "upstream node": (_other(CallerKind.UPSTREAM_NODE), MEMBERS),
    "upstream node whose certificate ended": (_other(CallerKind.UPSTREAM_NODE, 1), NOTHING),
    "node": (_node("node:live"), MEMBERS),
    "node that expires soon": (_node("node:expires-soon"), MEMBERS),
    "node that expires now": (_node("node:expires-now"), NOTHING),
    "node that expired": (_node("node:expired"), NOTHING),
    "node that is gone": (_node("node:gone"), NOTHING),
    "node without a name": (_node(""), NOTHING),
    "node whose certificate ends now": (_node("node:live", NOW_MS), NOTHING),
    "expired node with an old certificate": (_node("node:expired", 1), NOTHING),
}


@pytest.mark.parametrize("name", MAY)
def test_the_table_of_rights(name: str) -> None:
    """Each caller passes exactly where the contract lets it, and is told why not elsewhere."""
    caller, may = MAY[name]
    told: dict[str, str] = {}
    for path, method in METHODS.items():
        try:
            require(method.permission, caller, STATE, NOW_MS, reads=method.reads)
        except PermissionDenied as denied:
            told[path] = str(denied)
    assert METHODS.keys() - told.keys() == METHODS.keys() & may
    assert [text for text in told.values() if " " not in text or "node:" in text] == []


@pytest.mark.parametrize("method", METHODS)
def test_an_upstream_certificate_is_a_strangers_where_nothing_was_imported(method: str) -> None:
    """The name in it alone gives no right."""
    caller, state = _other(CallerKind.UPSTREAM_NODE), replace(STATE, imported=frozenset())
    with pytest.raises(PermissionDenied, match="neither an administrator's nor a node's"):
        require(METHODS[method].permission, caller, state, NOW_MS, reads=METHODS[method].reads)


@pytest.mark.parametrize("kind", CallerKind)
@pytest.mark.parametrize("imported", [True, False])
def test_an_upstream_certificate_goes_with_imported_nodes(kind: CallerKind, imported: bool) -> None:
    """Other callers are not held to it, and an unknown token is the operation's to refuse."""
    node = Node("", profile=Profile(imported=imported))
    caller = _other(kind)
    require_imported(caller, None)
    if kind is CallerKind.UPSTREAM_NODE and not imported:
        with pytest.raises(PermissionDenied, match="have not renewed"):
            require_imported(caller, node)
    else:
        require_imported(caller, node)


def test_every_method_of_every_service_is_in_the_table() -> None:
    """No method is served that nobody decided about."""
    services = (
        *(CONTROL_SERVICE, BOOTSTRAP_SERVICE, INTERNAL_SERVICE),
        *(NODE_SERVICE, JOINING_SERVICE, *ADMIN_SERVICES),
    )
    paths = {path_of(method) for service in services for method in service.methods}
    assert paths == served_methods().keys()


def test_a_certificate_that_was_just_renewed_is_accepted() -> None:
    """The folder has it, and the log not yet; a revoked one in the folder stays refused."""
    new, revoked = (_other(CallerKind.ADMIN, serial=serial) for serial in ("1", "0dd"))
    require(Permission.ADMIN, new, STATE, NOW_MS, reads=False, installed=lambda: "1")
    with pytest.raises(PermissionDenied):
        require(Permission.ADMIN, revoked, STATE, NOW_MS, reads=False, installed=lambda: "0dd")


@pytest.mark.parametrize("kind", [CallerKind.ADMIN, CallerKind.VIEWER])
def test_an_older_log_knows_no_administrators(kind: CallerKind) -> None:
    """Before the log has the folder's certificate, every one of the CA is accepted."""
    caller = _other(kind, serial="1")
    require(Permission.ADMIN, caller, State(), NOW_MS, reads=True)


def test_every_kind_of_caller_is_in_the_table() -> None:
    """No kind of caller exists that nobody decided about."""
    assert {caller.kind for caller, _ in MAY.values()} == set(CallerKind)


@pytest.mark.parametrize("kind", CallerKind)
def test_only_a_node_is_held_to_itself(kind: CallerKind) -> None:
    """UnRegister: a node itself alone, an admin and plain text whomever."""
    caller = Caller(kind, "x", "me")
    require_self(caller, "me")
    if kind is CallerKind.NODE:
        with pytest.raises(PermissionDenied, match="itself only"):
            require_self(caller, "another")
    else:
        require_self(caller, "another")


@pytest.mark.parametrize("kind", CallerKind)
def test_what_replicas_say_to_each_other_is_for_them_alone(kind: CallerKind) -> None:
    """No administrator, no node: whoever may forward speaks for every caller."""
    caller = Caller(kind, "certificate:b:1", "", SOON_MS, "600d")
    is_let_in = kind in (CallerKind.REPLICA, CallerKind.UNRESTRICTED, CallerKind.INTERNAL)
    with contextlib.nullcontext() if is_let_in else pytest.raises(PermissionDenied):
        require(Permission.REPLICA, caller, STATE, NOW_MS, reads=False)
