"""Which nodes a filter fits, and in which order they are listed. Pure."""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address
from typing import Final, NamedTuple

from nc.domain.links import link_of
from nc.domain.names import shown_name
from nc.domain.nodes import Node
from nc.domain.state import State
from nc.pb.admin.v1 import nodes_pb2 as pb
from nc.rpc.admin.errors import InvalidField
from nc.rpc.admin.paging import Key
from nc.rpc.admin.selectors import selector
from nc.rpc.admin.views import STATES, state_since_ms

Item = tuple[str, Node]
Fits = Callable[[str, Node], bool]

# Behind everything that has a place: no address, no end.
_LAST: Final = 1 << 62

_DIGITS: Final = frozenset("0123456789abcdef")
_SHORTEST_PREFIX: Final = 4


def node_filter(state: State, wanted: pb.NodeFilter) -> Fits | None:
    """Whether a node of the state fits everything that is set; None if nothing is.

    Raises:
        InvalidField: a part of the filter cannot be understood.
    """
    parts = [*_by_state(state, wanted), *_by_profile(state, wanted), *_by_numbers(wanted)]
    if not parts:
        return None
    if len(parts) == 1:
        return parts[0]
    return lambda node_id, node: all(fits(node_id, node) for fits in parts)


def _by_state(state: State, wanted: pb.NodeFilter) -> Sequence[Fits]:
    states = frozenset(wanted.states)
    if not states:
        return ()
    if not states <= set(STATES.values()):
        raise InvalidField("filter.states", "states are NODE_STATE_IDLE, _INIT and _CONNECTED")
    return (lambda node_id, _: STATES[link_of(state.links, node_id).state] in states,)


def _by_profile(state: State, wanted: pb.NodeFilter) -> Sequence[Fits]:
    parts: list[Fits] = []
    if requirements := selector(wanted.selector, "filter.selector"):

        def has_labels(_: str, node: Node) -> bool:
            labels = dict(node.profile.labels)
            return all(fits(labels) for fits in requirements)

        parts.append(has_labels)
    if text := wanted.text.casefold():

        def has_text(node_id: str, node: Node) -> bool:
            profile, address = node.profile, state.addresses.address_of(node_id)
            shown = (profile.name, profile.facts.hostname, profile.note, node_id, address)
            return any(text in each.casefold() for each in shown)

        parts.append(has_text)
    return parts


def _by_numbers(wanted: pb.NodeFilter) -> Sequence[Fits]:
    parts: list[Fits] = []
    if prefix := wanted.token_id:
        if len(prefix) < _SHORTEST_PREFIX or not _DIGITS.issuperset(prefix):
            raise InvalidField(
                "filter.token_id", "expected a bootstrap token's id, or its first 4 digits or more"
            )
        parts.append(lambda _, node: node.token_id.startswith(prefix))
    if until_ms := wanted.unrenewable_until_ms:
        parts.append(lambda _, node: ends_for_good(node, until_ms))
    return parts


def ends_for_good(node: Node, until_ms: int) -> bool:
    """Whether a node's certificates end before then, and it cannot have them renewed."""
    return not node.is_renewable and 0 < node.certificates_end_ms < until_ms


class Ordering(NamedTuple):
    """An order of nodes: the kind of its keys, and a node's key."""

    kind: type[int] | type[str]
    key: Callable[[State, str, Node], int | str]


_ORDERINGS: Final[dict[int, Ordering]] = {
    pb.NODE_ORDER_NAME: Ordering(
        str, lambda _, node_id, node: shown_name(node.profile.name, node_id)
    ),
    pb.NODE_ORDER_ADDRESS: Ordering(int, lambda state, node_id, _: _number_of(state, node_id)),
    pb.NODE_ORDER_REGISTERED: Ordering(int, lambda _state, _id, node: node.registered_at_ms),
    pb.NODE_ORDER_STATE_SINCE: Ordering(int, state_since_ms),
    pb.NODE_ORDER_EXPIRY: Ordering(int, lambda _state, _id, node: node.expires_at_ms or _LAST),
    pb.NODE_ORDER_CERTIFICATES_END: Ordering(
        int, lambda _state, _id, node: node.certificates_end_ms or _LAST
    ),
    pb.NODE_ORDER_LINKS: Ordering(int, lambda _state, _id, node: node.links),
}


def ordering_of(order: int) -> Ordering:
    """The ordering that a request asks for.

    Raises:
        InvalidField: there is no such order.
    """
    found = _ORDERINGS.get(order or pb.NODE_ORDER_NAME)
    if found is None:
        raise InvalidField("order", f"there is no order {order}; see NodeOrder")
    return found


def node_key(state: State, fits: Fits | None, ordering: Ordering) -> Callable[[Item], Key | None]:
    """A node's key in a list; None leaves it out of it."""
    if fits is None:
        return lambda item: (ordering.key(state, *item), item[0])
    return lambda item: (ordering.key(state, *item), item[0]) if fits(*item) else None


def _number_of(state: State, node_id: str) -> int:
    address = state.addresses.address_of(node_id)
    return int(IPv4Address(address)) if address else _LAST
