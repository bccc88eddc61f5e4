"""Which caller may call which method (LiteKube API contract, §4).

admin          everything
viewer         what changes nothing
node           methods for members; UnRegister of itself
replica        methods for replicas, which nobody else may call
upstream node  the same, with the token of a node that was imported and has not renewed
anonymous      methods for anyone (the bootstrap port)
internal       everything on the internal port: the node tokens in a request are the right to it
expired, unregistered, unknown certificates: nothing
"""

from collections.abc import Callable
from enum import IntEnum

from nc.domain.administrators import Administrators
from nc.domain.errors import NODE_OF_A_LATER_LOG
from nc.domain.expiry import has_passed
from nc.domain.nodes import Node
from nc.domain.state import State
from nc.rpc.callers import Caller, CallerKind
from nc.text import moment


class Permission(IntEnum):
    """Which callers a method is for."""

    REPLICA = 0  # other servers on the same log
    ADMIN = 1
    MEMBER = 2  # nodes that are registered and not expired
    ANYONE = 3


# An enumeration's attribute takes as long as a call.
_ADMIN, _VIEWER, _NODE = CallerKind.ADMIN, CallerKind.VIEWER, CallerKind.NODE
_FREE = (CallerKind.UNRESTRICTED, CallerKind.INTERNAL)
_ANONYMOUS, _UPSTREAM_NODE = CallerKind.ANONYMOUS, CallerKind.UPSTREAM_NODE
_REPLICA, _FOR_REPLICAS = CallerKind.REPLICA, Permission.REPLICA


class PermissionDenied(Exception):
    """The caller may not do this."""


def require(
    permission: Permission,
    caller: Caller,
    state: State,
    now_ms: int,
    *,
    reads: bool,
    installed: Callable[[], str] = str,
) -> None:
    """Check that the caller may call a method.

    Args:
        permission: what the method needs.
        caller: who calls it.
        state: has nodes and administrators.
        now_ms: Unix time in milliseconds.
        reads: the method changes nothing.
        installed: the serial of the administrator's certificate in the server's folder, which may
            have been renewed so recently that the log does not know it yet.

    Raises:
        PermissionDenied: it may not call this.
    """
    kind = caller.kind
    if kind in _FREE:
        return
    if kind is _ANONYMOUS:
        if permission is not Permission.ANYONE:
            raise PermissionDenied(
                "this call needs a client certificate: make it on the control port"
            )
        return
    _require_valid_certificate(caller, now_ms)
    if kind is _REPLICA or permission is _FOR_REPLICAS:
        _require_replica(permission, caller)
        return
    if kind is _ADMIN or kind is _VIEWER:
        _require_administrator(caller, state.administrators, installed, reads=reads)
        return
    # nodes can have been imported only if a database was
    is_upstream = kind is _UPSTREAM_NODE and bool(state.imported)
    if kind is not _NODE and not is_upstream:
        raise PermissionDenied(
            "this certificate is neither an administrator's nor a node's; "
            "use the one that GetToken answered"
        )
    if not is_upstream:
        _require_live_node(caller, state, now_ms)
    if permission is Permission.ADMIN:
        raise PermissionDenied("only an administrator's certificate may call this")


def _require_replica(permission: Permission, caller: Caller) -> None:
    if caller.kind is not _REPLICA or permission is not _FOR_REPLICAS:
        raise PermissionDenied(
            "what the servers of a cluster say to each other is for their own certificates, and "
            "those are good for nothing else"
        )


def require_self(caller: Caller, node_id: str) -> None:
    """Check that a node does this to itself.

    Raises:
        PermissionDenied: it is another node.
    """
    if caller.kind is _NODE and caller.node_id != node_id:
        raise PermissionDenied("a node may unregister itself only, not another one")


def require_imported(caller: Caller, node: Node | None) -> None:
    """Check that an upstream server's certificate comes with the token of an imported node.

    Raises:
        PermissionDenied: the node is another, or has certificates of its own by now.
    """
    if caller.kind is _UPSTREAM_NODE and node is not None and not node.profile.imported:
        raise PermissionDenied(
            "an upstream server's certificate is good for imported nodes that have not renewed "
            "theirs, and this token is another node's; use the certificate that came with it"
        )


def _require_valid_certificate(caller: Caller, now_ms: int) -> None:
    """The handshake checked it once, but a connection can outlive a certificate."""
    if has_passed(caller.not_after_ms, now_ms):
        raise PermissionDenied(
            f"this certificate expired at {moment(caller.not_after_ms)} (by this server's clock it "
            f"is {moment(now_ms)}); if that clock is right, a node joins again with a bootstrap "
            "token, and an administrator takes the server's new client.pem and client-key.pem"
        )


def _require_administrator(
    caller: Caller, administrators: Administrators, installed: Callable[[], str], *, reads: bool
) -> None:
    administrator = administrators.by_serial.get(caller.serial)
    if administrator is None or administrator.revoked_at_ms is not None:
        _require_accepted(caller, administrators, installed)
    if caller.kind is _VIEWER and not reads:
        raise PermissionDenied("a viewer's certificate may read, and change nothing")


def _require_accepted(
    caller: Caller, administrators: Administrators, installed: Callable[[], str]
) -> None:
    """The certificate is in the log, and not revoked: also on a connection that is open."""
    if administrators.accepts(caller.serial):
        return
    if caller.serial in administrators.by_serial:
        raise PermissionDenied(
            "this certificate was revoked, or another lies in the server's folder in its place; "
            "ask an administrator for a new one (ncadm admins issue)"
        )
    if caller.serial == installed():
        return
    raise PermissionDenied(
        "this certificate was not issued by this server, or its log is older than the certificate; "
        "ask an administrator for a new one (ncadm admins issue)"
    )


def _require_live_node(caller: Caller, state: State, now_ms: int) -> None:
    node = state.nodes.get(caller.node_id)
    if node is None and caller.node_id not in state.unregistered:
        raise PermissionDenied(NODE_OF_A_LATER_LOG)
    if node is None:
        raise PermissionDenied(
            "this certificate's node was unregistered; register the machine again with a "
            "bootstrap token"
        )
    if has_passed(node.expires_at_ms, now_ms):
        raise PermissionDenied(
            f"this certificate's node expired at {moment(node.expires_at_ms)} (by this server's "
            f"clock it is {moment(now_ms)}); "
            "an operator can set a later expiry (ncadm set-expiry)"
        )
