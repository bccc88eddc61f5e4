"""The node aggregate: which machines are registered, until when, and how they leave.

A node is registered when a bootstrap token is redeemed (`nc.domain.tokens`). It can expire, which a
later expiry undoes, and it can be unregistered, which nothing undoes. An unregistered node is
remembered for as long as its certificates last, so that its agent hears why it is refused. What it
is called and what is known of its machine is its profile (`nc.domain.profile`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from rpds import HashTrieMap

from nc.domain.addresses import Addresses, release
from nc.domain.errors import ListedNodeUnknown, NodeExpired, NodeNotWaiting, NodeUnknown
from nc.domain.events import (
    Certificate,
    Event,
    ExpiryChanged,
    NodeForgotten,
    NodeRegistered,
    Unregistered,
    pb,
)
from nc.domain.expiry import NEVER, has_passed
from nc.domain.fsm import ConnectionState
from nc.domain.interning import shared_id
from nc.domain.links import Links, drop
from nc.domain.names import Names, TransientNames, newcomer_name
from nc.domain.profile import NO_PROFILE, Profile, profile_in
from nc.domain.transient_map import TransientMap


class Node(NamedTuple):
    """A machine that redeemed a bootstrap token and was not unregistered."""

    token_id: str  # of the bootstrap token
    expires_at_ms: int = NEVER
    registered_at_ms: int = 0  # 0: not known, as all times
    certificates_end_ms: int = 0  # when the first of its newest certificates ends
    links: int = 0  # how many it has opened, and was handed its address on
    profile: Profile = NO_PROFILE
    idle_since_ms: int = 0  # when it was registered, or its last link dropped; stale while linked
    rank: int = 0  # which of the nodes of its token's day it is, from 1 (`nc.domain.tokens`)

    @property
    def is_renewable(self) -> bool:
        return bool(self.profile.key_sha256) or self.profile.imported


Nodes: TypeAlias = "HashTrieMap[str, Node]"  # by node id
TransientNodes: TypeAlias = TransientMap[str, Node]

# Until when an unregistered node is remembered, by its id; milliseconds since the epoch.
UnregisteredNodes: TypeAlias = "HashTrieMap[str, int]"
TransientUnregistered: TypeAlias = TransientMap[str, int]


@dataclass(frozen=True, slots=True)
class Unregister:
    node_id: str
    remember_until_ms: int = 0  # 0: it is unknown at once


@dataclass(frozen=True, slots=True)
class ForgetUnregistered:
    """Forget those of these nodes that need not be remembered any longer.

    The caller names some at a time, since looking at all of them would block the event loop.
    """

    node_ids: tuple[str, ...]
    now_ms: int


@dataclass(frozen=True, slots=True)
class TakeBackNode:
    """Register a node again that the log does not know, as it is older than the node."""

    node_id: str
    certificate: Certificate | None  # that the node has shown; None: none
    key_sha256: str = ""  # of the certificate's key, if the machine made it; "": it is not known


class Expiry(NamedTuple):
    """From when on one node's token is refused."""

    node_id: str
    expires_at_ms: int  # 0: never


@dataclass(frozen=True, slots=True)
class SetExpiries:
    """Set when nodes expire: all of them, or none."""

    expiries: tuple[Expiry, ...]
    now_ms: int


@dataclass(frozen=True, slots=True)
class ExpireNodes:
    now_ms: int


def require_node(nodes: Nodes, unregistered: UnregisteredNodes, node_id: str) -> Node:
    """The node, expired or not.

    Raises:
        NodeUnknown: it was never registered, or was unregistered.
    """
    node = nodes.get(node_id)
    if node is None:
        raise NodeUnknown(was_unregistered=node_id in unregistered)
    return node


def require_live(nodes: Nodes, unregistered: UnregisteredNodes, node_id: str, now_ms: int) -> Node:
    """The node, if its token is good at this moment.

    Raises:
        NodeUnknown: it was never registered, or was unregistered.
        NodeExpired: its expiry has passed.
    """
    node = require_node(nodes, unregistered, node_id)
    if has_passed(node.expires_at_ms, now_ms):
        raise NodeExpired(node.expires_at_ms, now_ms)
    return node


def certificates_end_ms(certificates: Iterable[Certificate]) -> int:
    """When the first of these certificates ends; 0 without any."""
    return min([each.not_after_ms for each in certificates], default=0)


def evolve_registered(
    nodes: TransientNodes,
    names: TransientNames,
    unregistered: TransientUnregistered,
    at_ms: int,
    rank: int,
    event: NodeRegistered,
) -> None:
    node_id = shared_id(event.node_id)
    _forget_name(nodes, names, node_id)
    profile = profile_in(event)
    token_id, end_ms = shared_id(event.token_id), certificates_end_ms(event.certificates)
    nodes[node_id] = Node(token_id, NEVER, at_ms, end_ms, 0, profile, at_ms, rank)
    if profile.name:
        names[profile.name] = node_id
    unregistered.discard(node_id)


def _forget_name(nodes: TransientNodes, names: TransientNames, node_id: str) -> None:
    node = nodes.get(node_id)
    if node is not None and node.profile.name and names.get(node.profile.name) == node_id:
        names.discard(node.profile.name)


def evolve_state_changed(
    nodes: TransientNodes, node_id: str, state: ConnectionState, at_ms: int
) -> None:
    """Count a link that was handed its address; remember when one dropped."""
    node = None if state is ConnectionState.INIT else nodes.get(node_id)
    if node is None:
        return
    token_id, expires_at_ms, registered_ms, end_ms, links, profile, idle_ms, rank = node
    if state is ConnectionState.IDLE:
        idle_ms = at_ms
    else:
        links += 1
    # a third of the time of _replace
    nodes[node_id] = Node(
        token_id, expires_at_ms, registered_ms, end_ms, links, profile, idle_ms, rank
    )


def evolve_expiry_changed(nodes: TransientNodes, event: ExpiryChanged) -> None:
    node = nodes.get(event.node_id)
    if node is not None:
        nodes[shared_id(event.node_id)] = node._replace(expires_at_ms=event.expires_at_ms)


def evolve_unregistered(
    nodes: TransientNodes,
    names: TransientNames,
    unregistered: TransientUnregistered,
    event: Unregistered,
) -> None:
    _forget_name(nodes, names, event.node_id)
    nodes.discard(event.node_id)
    if event.remembered_until_ms:
        unregistered[shared_id(event.node_id)] = event.remembered_until_ms


def evolve_forgotten(unregistered: TransientUnregistered, event: NodeForgotten) -> None:
    unregistered.discard(event.node_id)


def decide_unregister(
    nodes: Nodes,
    unregistered: UnregisteredNodes,
    links: Links,
    addresses: Addresses,
    command: Unregister,
) -> list[Event]:
    """Drop the node's link, free its address, and remove it; an expired node, too.

    Raises:
        NodeUnknown: it was never registered, or was unregistered.
    """
    require_node(nodes, unregistered, command.node_id)
    return remove(links, addresses, command.node_id, command.remember_until_ms)


def remove(links: Links, addresses: Addresses, node_id: str, remember_until_ms: int) -> list[Event]:
    """Drop a registered node's link, free its address, and unregister it."""
    gone = Unregistered(
        node_id=node_id,
        reason=pb.UNREGISTER_REASON_REQUESTED,
        remembered_until_ms=remember_until_ms,
    )
    return [
        *drop(links, node_id, pb.STATE_CHANGE_REASON_UNREGISTERED),
        *release(addresses, node_id, pb.ADDRESS_RELEASE_REASON_UNREGISTERED),
        Event(unregistered=gone),
    ]


def decide_forget(unregistered: UnregisteredNodes, command: ForgetUnregistered) -> list[Event]:
    """Forget those that are over, in the order of their times."""
    over = sorted(
        (until_ms, node_id)
        for node_id in set(command.node_ids)
        if (until_ms := unregistered.get(node_id)) and has_passed(until_ms, command.now_ms)
    )
    return [Event(node_forgotten=NodeForgotten(node_id=node_id)) for _, node_id in over]


def decide_take_back(
    nodes: Nodes, names: Names, unregistered: UnregisteredNodes, command: TakeBackNode
) -> list[Event]:
    """Register the node; no event if it is registered.

    Raises:
        NodeUnknown: it was unregistered.
        NodeNotWaiting: it has shown no certificate.
    """
    if command.node_id in unregistered:
        raise NodeUnknown(was_unregistered=True)
    if command.node_id in nodes:
        return []
    if command.certificate is None:
        raise NodeNotWaiting
    registered = NodeRegistered(
        node_id=command.node_id,
        certificates=[command.certificate],
        taken_back=True,
        name=newcomer_name("", "", command.node_id, names.__contains__),
        key_sha256=command.key_sha256,
    )
    return [Event(node_registered=registered)]


def decide_set_expiries(nodes: Nodes, links: Links, command: SetExpiries) -> list[Event]:
    """Change what differs; drop the link of each node that is expired thereby, or was until now.

    Raises:
        ListedNodeUnknown: with the position, from 1, of the first unknown node.
    """
    for position, (node_id, _) in enumerate(command.expiries, start=1):
        if node_id not in nodes:
            raise ListedNodeUnknown(position)
    events: list[Event] = []
    for node_id, expires_at_ms in dict(command.expiries).items():  # of a repeated node, the last
        before_ms = nodes[node_id].expires_at_ms
        if before_ms != expires_at_ms:
            changed = ExpiryChanged(node_id=node_id, expires_at_ms=expires_at_ms)
            events.append(Event(expiry_changed=changed))
        # a node that is revived before the sweep has noticed its expiry loses its link, too
        if has_passed(before_ms, command.now_ms) or has_passed(expires_at_ms, command.now_ms):
            events += drop(links, node_id, pb.STATE_CHANGE_REASON_EXPIRED)
    return events


def decide_expire(nodes: Nodes, links: Links, command: ExpireNodes) -> list[Event]:
    """Drop the link of every node that has expired, in the order of their expiries."""
    expired = sorted(
        (node.expires_at_ms, node_id)
        for node_id in links
        if (node := nodes.get(node_id)) and has_passed(node.expires_at_ms, command.now_ms)
    )
    return [
        event
        for _, node_id in expired
        for event in drop(links, node_id, pb.STATE_CHANGE_REASON_EXPIRED)
    ]
