"""The import of an upstream server's database: tokens, nodes and addresses as events, once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from nc.domain.addresses import Addresses, is_assignable
from nc.domain.events import (
    AddressBound,
    Event,
    ExpiryChanged,
    LitekubeImported,
    NodeRegistered,
    TokenIssued,
)
from nc.domain.expiry import NEVER
from nc.domain.names import Names, newcomer_name
from nc.domain.nodes import Nodes, UnregisteredNodes
from nc.domain.operator_errors import AlreadyImported, ImportRefused
from nc.domain.tokens import Tokens


class ImportedToken(NamedTuple):
    token_id: str
    expires_at_ms: int  # 0: never


class ImportedNode(NamedTuple):
    node_id: str
    address: str  # IPv4; "": it has none yet
    name: str = ""  # that it would have
    expires_at_ms: int = NEVER


@dataclass(frozen=True, slots=True)
class ImportLitekube:
    database_sha256: str  # hex
    tokens: tuple[ImportedToken, ...]
    nodes: tuple[ImportedNode, ...]


def decide_import(
    imported: frozenset[str],
    tokens: Tokens,
    nodes: Nodes,
    names: Names,
    unregistered: UnregisteredNodes,
    addresses: Addresses,
    command: ImportLitekube,
) -> list[Event]:
    """Record all tokens, nodes and addresses, or nothing.

    Raises:
        AlreadyImported: this database was imported.
        ImportRefused: a token or node is known here, or an address does not fit or is held.
    """
    if command.database_sha256 in imported:
        raise AlreadyImported
    _require_new("token", [each.token_id for each in command.tokens], {*tokens})
    _require_new("node", [each.node_id for each in command.nodes], {*nodes, *unregistered})
    _require_free(command.nodes, addresses)
    taken: set[str] = set()
    events = [
        Event(token_issued=TokenIssued(token_id=each.token_id, expires_at_ms=each.expires_at_ms))
        for each in command.tokens
    ]
    for node in command.nodes:
        name = newcomer_name("", node.name, node.node_id, lambda n: n in taken or n in names)
        taken.add(name)
        events += _node_events(node, name)
    summary = LitekubeImported(
        database_sha256=command.database_sha256,
        tokens=len(command.tokens),
        nodes=len(command.nodes),
    )
    return [*events, Event(litekube_imported=summary)]


def _node_events(node: ImportedNode, name: str) -> list[Event]:
    registered = NodeRegistered(node_id=node.node_id, name=name, imported=True)
    events = [Event(node_registered=registered)]
    if node.address:
        bound = AddressBound(node_id=node.node_id, address=node.address)
        events.append(Event(address_bound=bound))
    if node.expires_at_ms != NEVER:
        expiry = ExpiryChanged(node_id=node.node_id, expires_at_ms=node.expires_at_ms)
        events.append(Event(expiry_changed=expiry))
    return events


def _require_new(kind: str, ids: Sequence[str], known: set[str]) -> None:
    if len(set(ids)) < len(ids):
        raise ImportRefused(f"the database has a {kind} twice")
    if not known.isdisjoint(ids):
        raise ImportRefused(f"this server knows a {kind} of the database already")


def _require_free(nodes: Sequence[ImportedNode], addresses: Addresses) -> None:
    seen: set[str] = set()
    for address in (node.address for node in nodes if node.address):
        if not is_assignable(addresses, address):
            raise ImportRefused(
                f"{address} cannot be a node's address in {addresses.network}; start the server "
                "with the upstream server's --network-addr"
            )
        if address in seen or addresses.holder_of(address):
            raise ImportRefused(f"{address} belongs to another node already")
        seen.add(address)
