"""State ⇄ bytes: a snapshot's payload, made and read in parts so that neither holds anybody up.

    decode(join(encode(state))) == state         for every state that events can lead to

Lists of columns rather than of entries: a node costs a few list elements instead of a message.
`proto/snapshot.proto` is the format.
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final, TypeVar

from google.protobuf.message import DecodeError
from rpds import HashTrieMap, Queue

from nc.domain.addresses import Addresses, Binding, Network
from nc.domain.fsm import ConnectionState
from nc.domain.nodes import Node
from nc.domain.presence import Link
from nc.domain.state import State
from nc.domain.tokens import Token
from nc.pb import snapshot_pb2 as pb

T = TypeVar("T")

# Another number for every change of the format or of what the folds make of events: a snapshot of
# another schema is passed over, and the events are read instead.
SNAPSHOT_SCHEMA: Final = 1

# Entries in a part: making one takes half a millisecond, so an event loop can do it between calls.
_PART_ENTRIES: Final = 256

_LENGTH: Final = struct.Struct("<I")


def encode(state: State, *, ordered: bool = False) -> Iterator[bytes]:
    """The snapshot of a state, part by part.

    Args:
        state: what it is to hold.
        ordered: by id, which takes a moment and makes the bytes of equal states equal.
    """
    for part in _parts(state, sorted if ordered else iter):
        data = part.SerializeToString()
        yield _LENGTH.pack(len(data)) + data


def _parts(state: State, order: Callable[[Iterable[Any]], Iterable[Any]]) -> Iterator[pb.StatePart]:
    pool = state.addresses
    first = pb.Pool(network=str(pool.network), next_slot=pool.next_slot)
    yield pb.StatePart(seq=state.seq, pool=first, digest_seq=state.digest_seq)
    for released in _slices(pool.released):
        yield pb.StatePart(pool=pb.Pool(released=released))
    for tokens in _slices(order(state.tokens.items())):
        expiries = [token.expires_at_ms for _, token in tokens]
        ids = [token_id for token_id, _ in tokens]
        yield pb.StatePart(tokens=pb.Tokens(ids=ids, expires_at_ms=expiries))
    for nodes in _slices(order(state.nodes.items())):
        yield pb.StatePart(nodes=_nodes(nodes))
    for links in _slices(order(state.presence.items())):
        yield pb.StatePart(
            links=pb.Links(
                node_ids=[node_id for node_id, _ in links],
                states=[link.state.value for _, link in links],
                link_ids=[link.link_id for _, link in links],
            )
        )
    for bindings in _slices(order(pool.by_node.items())):
        yield pb.StatePart(bindings=_bindings(bindings), holders=_surprising(pool, bindings))
    for held in _slices(order(pool.by_address.items())):
        yield pb.StatePart(holders=_strays(pool, held))


def _slices(entries: Iterable[T]) -> Iterator[list[T]]:
    """The entries, so many at a time; the map is walked as it goes."""
    iterator = iter(entries)
    while some := list(islice(iterator, _PART_ENTRIES)):
        yield some


def _nodes(nodes: list[tuple[str, Node]]) -> pb.Nodes:
    numbers: dict[str, int] = {}
    chosen = [numbers.setdefault(node.token_id, len(numbers)) for _, node in nodes]
    return pb.Nodes(
        ids=[node_id for node_id, _ in nodes],
        token_ids=numbers,
        token_numbers=chosen,
        expires_at_ms=[node.expires_at_ms for _, node in nodes],
    )


def _bindings(bindings: list[tuple[str, Binding]]) -> pb.Bindings:
    return pb.Bindings(
        node_ids=[node_id for node_id, _ in bindings],
        addresses=[binding.address for _, binding in bindings],
        idle_since_seqs=[binding.idle_since_seq or 0 for _, binding in bindings],
    )


def _surprising(pool: Addresses, bindings: list[tuple[str, Binding]]) -> pb.Holders | None:
    """The addresses that these nodes say they hold, and that somebody else or nobody does."""
    holders = pb.Holders()
    for node_id, binding in bindings:
        holder = pool.by_address.get(binding.address)
        if holder is None:
            holders.free.append(binding.address)
        elif holder != node_id:
            holders.addresses.append(binding.address)
            holders.node_ids.append(holder)
    return holders if holders.free or holders.addresses else None


def _strays(pool: Addresses, held: list[tuple[str, str]]) -> pb.Holders | None:
    """The addresses whose holders don't say that they hold them."""
    strays = [
        (address, node_id) for address, node_id in held if pool.address_of(node_id) != address
    ]
    if not strays:
        return None
    return pb.Holders(
        addresses=[address for address, _ in strays], node_ids=[node_id for _, node_id in strays]
    )


def decode(payload: bytes) -> State:
    """The state that a snapshot holds.

    Raises:
        ValueError: this is no snapshot's payload.
    """
    reader = _Reader()
    view = memoryview(payload)
    at = 0
    while at < len(view):
        if len(view) < at + _LENGTH.size:
            raise ValueError("a snapshot that ends within a part")
        (size_bytes,) = _LENGTH.unpack_from(view, at)
        at += _LENGTH.size
        try:
            reader.add(pb.StatePart.FromString(bytes(view[at : at + size_bytes])))
        except DecodeError as error:
            raise ValueError("a part that is no StatePart") from error
        at += size_bytes
    return reader.finish()


class _Reader:
    """Gathers what the parts list."""

    def __init__(self) -> None:
        self._seq = 0
        self._pool: pb.Pool | None = None
        self._digest_seq = 0
        self._released: list[str] = []
        self._tokens: dict[str, Token] = {}
        self._nodes: dict[str, Node] = {}
        self._links: dict[str, Link] = {}
        self._by_node: dict[str, Binding] = {}
        self._by_address: dict[str, str] = {}
        self._holders: list[pb.Holders] = []

    def add(self, part: pb.StatePart) -> None:
        if self._pool is None:
            self._seq, self._pool = part.seq, part.pool
            self._digest_seq = part.digest_seq
        self._released += part.pool.released
        expiries = part.tokens.expires_at_ms
        self._tokens.update(zip(part.tokens.ids, map(Token, expiries), strict=True))
        self._add_nodes(part.nodes)
        links = part.links
        states = map(ConnectionState, links.states)
        self._links.update(zip(links.node_ids, map(Link, states, links.link_ids), strict=True))
        self._add_bindings(part.bindings)
        if part.HasField("holders"):
            self._holders.append(part.holders)

    def _add_nodes(self, nodes: pb.Nodes) -> None:
        token_ids = map(list(nodes.token_ids).__getitem__, nodes.token_numbers)
        self._nodes.update(zip(nodes.ids, map(Node, token_ids, nodes.expires_at_ms), strict=True))

    def _add_bindings(self, bindings: pb.Bindings) -> None:
        node_ids, addresses = list(bindings.node_ids), list(bindings.addresses)
        idle_since_seqs = (seq or None for seq in bindings.idle_since_seqs)
        self._by_node.update(zip(node_ids, map(Binding, addresses, idle_since_seqs), strict=True))
        self._by_address.update(zip(addresses, node_ids, strict=True))

    def finish(self) -> State:
        if self._pool is None:
            raise ValueError("a snapshot without parts")
        for holders in self._holders:
            self._by_address.update(zip(holders.addresses, holders.node_ids, strict=True))
            for address in holders.free:
                self._by_address.pop(address, None)
        addresses = Addresses(
            Network.parse(self._pool.network),
            self._pool.next_slot,
            Queue(self._released),
            HashTrieMap(self._by_node),
            HashTrieMap(self._by_address),
        )
        return State(
            self._seq,
            HashTrieMap(self._tokens),
            HashTrieMap(self._nodes),
            HashTrieMap(self._links),
            addresses,
            self._digest_seq,
        )
