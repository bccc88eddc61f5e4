"""Invariants of names, keys, tokens and administrators: part of `nc.domain.invariants`.

A name has one node, a node keeps its key, a token registers no more nodes than its terms say and
none once it is revoked, an assigned address is not reclaimed, and a certificate of an administrator
is added and revoked once. Kept in plain dictionaries, and independent of the folds.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from nc.domain.events import pb
from nc.domain.state import State

# What was found, and what was expected.
Fault = tuple[str, str]


class _Token(NamedTuple):
    max_uses: int = 0
    max_nodes: int = 0
    uses: int = 0
    nodes: int = 0
    is_revoked: bool = False


class _Node(NamedTuple):
    token_id: str
    name: str
    key_sha256: str


class Identities:
    """What is known of nodes and tokens beside where they are. No event is refused.

    Args:
        base: the state to begin with.
    """

    __slots__ = ("administrators", "assigned", "names", "nodes", "tokens")

    def __init__(self, base: State) -> None:
        self.nodes = {
            node_id: _Node(node.token_id, node.profile.name, node.profile.key_sha256)
            for node_id, node in base.nodes.items()
        }
        self.names = {node.name: node_id for node_id, node in self.nodes.items() if node.name}
        self.tokens = {
            token_id: _Token(
                token.terms.max_uses,
                token.terms.max_nodes,
                token.uses,
                token.nodes,
                token.is_revoked,
            )
            for token_id, token in base.tokens.items()
        }
        by_node = base.addresses.by_node.items()
        self.assigned = {node_id for node_id, binding in by_node if binding.is_assigned}
        self.administrators = {  # by serial: whether it is revoked
            serial: each.revoked_at_ms is not None
            for serial, each in base.administrators.by_serial.items()
        }

    def fault(self, kind: str, event: Any) -> Fault | None:
        """Why an event cannot follow; None if it can."""
        check = _CHECKS.get(kind)
        return None if check is None else check(self, event)

    def apply(self, kind: str, event: Any) -> None:  # noqa: C901 - a table
        match kind:
            case "token_issued":
                self.tokens[event.token_id] = _Token(event.max_uses, event.max_nodes)
            case "token_revoked":
                self._change_token(event.token_id, is_revoked=True)
            case "token_expired":
                self.tokens.pop(event.token_id, None)
            case "node_registered":
                node = _Node(event.token_id, event.name, event.key_sha256)
                self._name(event.node_id, node)
                self._count(event.token_id, uses=1, nodes=1)
            case "node_updated" if event.HasField("name"):
                node = self.nodes.get(event.node_id, _Node("", "", ""))
                self._name(event.node_id, node._replace(name=event.name))
            case "certificates_renewed" if event.node_id in self.nodes:
                node = self.nodes[event.node_id]._replace(key_sha256=event.key_sha256)
                self.nodes[event.node_id] = node
            case "unregistered":
                gone = self.nodes.pop(event.node_id, None)
                if gone is not None:
                    self.names.pop(gone.name, None)
                    self._count(gone.token_id, nodes=-1)
            case "address_bound":
                (self.assigned.add if event.assigned else self.assigned.discard)(event.node_id)
            case "address_released":
                self.assigned.discard(event.node_id)
            case "administrator_added":
                self.administrators[event.certificate.serial] = False
            case "administrator_revoked":
                self.administrators[event.serial] = True

    def _name(self, node_id: str, node: _Node) -> None:
        before = self.nodes.get(node_id)
        if before is not None:
            self.names.pop(before.name, None)
        self.nodes[node_id] = node
        if node.name:
            self.names[node.name] = node_id

    def _count(self, token_id: str, uses: int = 0, nodes: int = 0) -> None:
        token = self.tokens.get(token_id)
        if token is not None:
            counted = token._replace(uses=token.uses + uses, nodes=token.nodes + nodes)
            self.tokens[token_id] = counted

    def _change_token(self, token_id: str, *, is_revoked: bool) -> None:
        token = self.tokens.get(token_id)
        if token is not None:
            self.tokens[token_id] = token._replace(is_revoked=is_revoked)


def _registered(before: Identities, event: Any) -> Fault | None:
    token = before.tokens.get(event.token_id)
    if token is not None:
        found = f"token {event.token_id} registers {event.node_id}"
        if token.is_revoked:
            return found, "none, since it is revoked"
        if token.max_uses and token.uses >= token.max_uses:
            return found, f"at most {token.max_uses} uses"
        if token.max_nodes and token.nodes >= token.max_nodes:
            return found, f"at most {token.max_nodes} nodes at one time"
    return _named(before, event)


def _named(before: Identities, event: Any) -> Fault | None:
    holder = before.names.get(event.name, event.node_id) if event.name else event.node_id
    if holder != event.node_id:
        return f"node {event.node_id} is called {event.name}", f"{holder} to be called so"
    return None


def _updated(before: Identities, event: Any) -> Fault | None:
    return _known(before, event) or _named(before, event)


def _known(before: Identities, event: Any) -> Fault | None:
    if event.node_id not in before.nodes:
        return f"node {event.node_id} is changed", "a node that is registered"
    return None


def _renewed(before: Identities, event: Any) -> Fault | None:
    node = before.nodes.get(event.node_id)
    if node is not None and node.key_sha256 not in ("", event.key_sha256):
        return f"node {event.node_id} has another key", node.key_sha256
    return _known(before, event)


def _token_revoked(before: Identities, event: Any) -> Fault | None:
    token = before.tokens.get(event.token_id)
    if token is None or token.is_revoked:
        return f"token {event.token_id} is revoked", "a token that is known and not revoked"
    return None


def _released(before: Identities, event: Any) -> Fault | None:
    is_reclaimed = event.reason == pb.ADDRESS_RELEASE_REASON_RECLAIMED
    if is_reclaimed and event.node_id in before.assigned:
        return f"{event.address}, which was assigned, is reclaimed", "it to stay with its node"
    return None


def _administrator_added(before: Identities, event: Any) -> Fault | None:
    if before.administrators.get(event.certificate.serial):
        return f"certificate {event.certificate.serial} is added", "one that is not revoked"
    return None


def _administrator_revoked(before: Identities, event: Any) -> Fault | None:
    if before.administrators.get(event.serial, True):
        return f"certificate {event.serial} is revoked", "one that is known and not revoked"
    return None


_CHECKS: Final[dict[str, Callable[[Identities, Any], Fault | None]]] = {
    "node_registered": _registered,
    "node_updated": _updated,
    "node_facts_reported": _known,
    "certificates_renewed": _renewed,
    "token_revoked": _token_revoked,
    "address_released": _released,
    "administrator_added": _administrator_added,
    "administrator_revoked": _administrator_revoked,
}
