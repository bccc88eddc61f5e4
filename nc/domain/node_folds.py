"""Folds what happened to nodes."""

from nc.domain.events import ExpiryChanged, NodeRegistered, Unregistered
from nc.domain.expiry import NEVER
from nc.domain.interning import shared_id, shared_node
from nc.domain.nodes import Node
from nc.domain.transient_map import TransientMap

NodesDraft = TransientMap[str, Node]


def registered(nodes: NodesDraft, event: NodeRegistered) -> None:
    """There is a new node."""
    nodes[shared_id(event.node_id)] = shared_node(event.token_id, NEVER)


def expiry_changed(nodes: NodesDraft, event: ExpiryChanged) -> None:
    """The node's token is good until another moment."""
    node = nodes.get(event.node_id)
    if node is not None:
        nodes[shared_id(event.node_id)] = shared_node(node.token_id, event.expires_at_ms)


def unregistered(nodes: NodesDraft, event: Unregistered) -> None:
    """The node is no more."""
    nodes.discard(event.node_id)
