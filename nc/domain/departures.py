"""Several nodes leave at once: those of a list, or all of one bootstrap token."""

from dataclasses import dataclass

from nc.domain.addresses import Addresses
from nc.domain.events import Event
from nc.domain.links import Links
from nc.domain.nodes import Nodes, UnregisteredNodes, remove, require_node
from nc.domain.tokens import RevokeToken, Tokens, decide_revoke


@dataclass(frozen=True, slots=True)
class UnregisterNodes:
    """Unregister several nodes: all of them, or none."""

    node_ids: tuple[str, ...]
    remember_until_ms: int


@dataclass(frozen=True, slots=True)
class UnregisterNodesOfToken:
    """Unregister all nodes that redeemed a bootstrap token, and revoke it if that is asked for."""

    token_id: str
    remember_until_ms: int
    revoke: bool = False


def decide_unregister_nodes(
    nodes: Nodes,
    unregistered: UnregisteredNodes,
    links: Links,
    addresses: Addresses,
    command: UnregisterNodes,
) -> list[Event]:
    """Unregister each of the nodes, in their order.

    Raises:
        NodeUnknown: one was never registered, or was unregistered.
    """
    node_ids = tuple(dict.fromkeys(command.node_ids))
    for node_id in node_ids:
        require_node(nodes, unregistered, node_id)
    return [
        event
        for node_id in node_ids
        for event in remove(links, addresses, node_id, command.remember_until_ms)
    ]


def decide_unregister_of_token(
    tokens: Tokens,
    nodes: Nodes,
    links: Links,
    addresses: Addresses,
    command: UnregisterNodesOfToken,
) -> list[Event]:
    """Revoke the token first if that is asked for, then unregister its nodes. O(nodes).

    Raises:
        BootstrapTokenUnknown: it is to be revoked, and was never issued, or was forgotten and has
            no nodes either.
    """
    members = sorted(
        (node.registered_at_ms, node_id)
        for node_id, node in nodes.items()
        if node.token_id == command.token_id
    )
    revoked: list[Event] = []
    if command.revoke and (command.token_id in tokens or not members):
        revoked = decide_revoke(tokens, RevokeToken(command.token_id))
    return [
        *revoked,
        *(
            event
            for _, node_id in members
            for event in remove(links, addresses, node_id, command.remember_until_ms)
        ),
    ]
