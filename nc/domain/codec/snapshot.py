"""State ⇄ bytes: a snapshot's payload, encoded part by part so that the event loop runs between.

    decode(join(encode(state)), state.seq) == state     for every state that events can lead to

Columns rather than entries: a node costs a few list elements instead of a message.
`proto/nc/pb/snapshot.proto` is the format.
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, compress, count, islice
from typing import Any, Final, TypeVar

from google.protobuf.message import DecodeError
from rpds import HashTrieMap, HashTrieSet, Queue

from nc.domain.addresses import Addresses, Binding
from nc.domain.expiry import NEVER
from nc.domain.fsm import ConnectionState
from nc.domain.links import NodeLink
from nc.domain.network import Network
from nc.domain.nodes import Node
from nc.domain.replicas import NO_AUTHORITIES, AuthorityKeys
from nc.domain.state import State
from nc.domain.tokens import Token
from nc.pb import snapshot_pb2 as pb

T = TypeVar("T")

# A new number for every change of the format or of a fold: a snapshot of another schema is skipped,
# and the events are read instead.
SNAPSHOT_SCHEMA: Final = 3

# Entries in a part: making one takes half a millisecond, so an event loop can do it between calls.
_PART_ENTRIES: Final = 256

_NO_BINDING: Final = Binding("", None)

_LENGTH: Final = struct.Struct("<I")


def encode(state: State, *, ordered: bool = False) -> Iterator[bytes]:
    """The snapshot of a state, part by part.

    Args:
        state: what to encode.
        ordered: sort by id, which costs time and makes the bytes of equal states equal.
    """
    for part in _parts(state, sorted if ordered else iter):
        data = part.SerializeToString()
        yield _LENGTH.pack(len(data)) + data


def _parts(state: State, order: Callable[[Iterable[Any]], Iterable[Any]]) -> Iterator[pb.StatePart]:
    pool = state.addresses
    first = pb.Pool(network=str(pool.network), next_slot=pool.next_slot)
    yield pb.StatePart(
        seq=state.seq,
        pool=first,
        digest_seq=state.digest_seq,
        key_check=state.key_check,
        grpc_authority=state.authorities.grpc,
        network_authority=state.authorities.network,
    )
    for released in _slices(pool.released):
        yield pb.StatePart(pool=pb.Pool(released=released))
    for ahead in _slices(order(pool.ahead)):
        yield pb.StatePart(pool=pb.Pool(ahead=ahead))
    for tokens in _slices(order(state.tokens.items())):
        expiries = [token.expires_at_ms for _, token in tokens]
        ids = [token_id for token_id, _ in tokens]
        yield pb.StatePart(tokens=pb.Tokens(ids=ids, expires_at_ms=expiries))
    numbers: dict[str, int] = {}
    for nodes in _slices(order(state.nodes.items())):
        yield pb.StatePart(nodes=_nodes(nodes, pool, numbers))
    for gone in _slices(order(state.unregistered.items())):
        ids, ends = [node_id for node_id, _ in gone], [until_ms for _, until_ms in gone]
        yield pb.StatePart(unregistered=pb.Unregistered(ids=ids, until_ms=ends))
    numbers = {}
    for links in _slices(order(state.links.items())):
        yield pb.StatePart(links=_links(links, numbers))
    for sessions in _slices(order(state.sessions.items())):
        ids, owners = [session for session, _ in sessions], [owner for _, owner in sessions]
        yield pb.StatePart(sessions=pb.Sessions(ids=ids, replica_ids=owners))
    for bindings in _slices(order(pool.by_node.items())):
        strays = [(node_id, held) for node_id, held in bindings if node_id not in state.nodes]
        yield pb.StatePart(bindings=_bindings(strays) if strays else None)


def _slices(entries: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(entries)
    while some := list(islice(iterator, _PART_ENTRIES)):
        yield some


def _nodes(nodes: list[tuple[str, Node]], pool: Addresses, numbers: dict[str, int]) -> pb.Nodes:
    """Nodes with the addresses that they hold, so that each id is written, read and kept once.

    Args:
        nodes: the nodes of this part.
        pool: has their addresses.
        numbers: of the token ids that earlier parts have; those of this part are added.
    """
    held = [pool.by_node.get(node_id, _NO_BINDING) for node_id, _ in nodes]
    token_ids = [node.token_id for _, node in nodes]
    new = _number(token_ids, numbers)
    return pb.Nodes(
        ids=[node_id for node_id, _ in nodes],
        token_ids=new,
        token_numbers=[numbers[token_id] for token_id in token_ids],
        expires_at_ms=[node.expires_at_ms for _, node in nodes],
        addresses=[binding.address for binding in held],
        idle_since_seqs=[binding.idle_since_seq or 0 for binding in held],
    )


def _links(links: list[tuple[str, NodeLink]], numbers: dict[str, int]) -> pb.Links:
    """Links, and the sessions that own them; `numbers` as for `_nodes`, of the sessions."""
    owners = [link.session for _, link in links]
    return pb.Links(
        node_ids=[node_id for node_id, _ in links],
        states=[link.state.value for _, link in links],
        link_ids=[link.link_id for _, link in links],
        sessions=_number(owners, numbers),
        session_numbers=[numbers[session] for session in owners],
    )


def _number(ids: list[str], numbers: dict[str, int]) -> list[str]:
    """Give the ids that have no number yet one; returns those."""
    new = list(dict.fromkeys(each for each in ids if each not in numbers))
    numbers.update(zip(new, count(len(numbers)), strict=False))
    return new


def _bindings(bindings: list[tuple[str, Binding]]) -> pb.Bindings:
    return pb.Bindings(
        node_ids=[node_id for node_id, _ in bindings],
        addresses=[binding.address for _, binding in bindings],
        idle_since_seqs=[binding.idle_since_seq or 0 for _, binding in bindings],
    )


def decode(payload: bytes, seq: int) -> State:
    """The state after event `seq`, from the snapshot that was taken there.

    Raises:
        ValueError: this is no snapshot's payload, or it has the state after another event.
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
        except (DecodeError, IndexError) as error:
            raise ValueError("a part that is no StatePart") from error
        at += size_bytes
    state = reader.finish()
    if state.seq != seq:
        raise ValueError(f"a state as of event {state.seq}")
    return state


class _Reader:
    """Collects what the parts list; `finish` makes each map at once, from pairs."""

    def __init__(self) -> None:
        self._seq = 0
        self._pool: pb.Pool | None = None
        self._digest_seq = 0
        self._key_check = ""
        self._authorities = NO_AUTHORITIES
        self._released: list[str] = []
        self._ahead: list[str] = []
        self._tokens: list[Iterable[tuple[str, Token]]] = []
        self._newcomers: list[Node] = []  # one a token: nodes that never expire share it
        self._nodes: list[Iterable[tuple[str, Node]]] = []
        self._unregistered: list[Iterable[tuple[str, int]]] = []
        self._links: list[Iterable[tuple[str, NodeLink]]] = []
        self._owners: list[str] = []  # of the links, by number
        self._sessions: list[Iterable[tuple[str, str]]] = []
        self._by_node: list[Iterable[tuple[str, Binding]]] = []

    def add(self, part: pb.StatePart) -> None:
        if self._pool is None:
            self._seq, self._pool = part.seq, part.pool
            self._digest_seq, self._key_check = part.digest_seq, part.key_check
            self._authorities = AuthorityKeys(part.grpc_authority, part.network_authority)
        self._released += part.pool.released
        self._ahead += part.pool.ahead
        tokens, links, bindings = part.tokens, part.links, part.bindings
        self._tokens.append(_pairs(tokens.ids, map(Token, tokens.expires_at_ms)))
        self._add_nodes(part.nodes)
        gone = part.unregistered
        self._unregistered.append(_pairs(gone.ids, gone.until_ms))
        self._owners += links.sessions
        states, owners = map(ConnectionState, links.states), self._owners
        held_by = (owners[number] for number in links.session_numbers)
        self._links.append(_pairs(links.node_ids, map(NodeLink, states, links.link_ids, held_by)))
        self._sessions.append(_pairs(part.sessions.ids, part.sessions.replica_ids))
        self._add_bindings(bindings.node_ids, bindings.addresses, bindings.idle_since_seqs)

    def _add_nodes(self, nodes: pb.Nodes) -> None:
        ids = list(nodes.ids)
        self._newcomers += (Node(token_id, NEVER) for token_id in nodes.token_ids)
        newcomers = self._newcomers
        columns = zip(nodes.token_numbers, nodes.expires_at_ms, strict=True)
        made = [
            newcomers[number] if at == NEVER else Node(newcomers[number].token_id, at)
            for number, at in columns
        ]
        self._nodes.append(_pairs(ids, made))
        self._add_bindings(ids, nodes.addresses, nodes.idle_since_seqs)

    def _add_bindings(
        self, ids: Iterable[str], addresses: Iterable[str], idle_since_seqs: Iterable[int]
    ) -> None:
        texts = list(addresses)
        held = map(Binding, texts, [seq or None for seq in idle_since_seqs])
        self._by_node.append(compress(_pairs(ids, held), texts))

    def finish(self) -> State:
        if self._pool is None:
            raise ValueError("a snapshot without parts")
        addresses = Addresses(
            Network.parse(self._pool.network),
            self._pool.next_slot,
            Queue(self._released),
            HashTrieMap(chain.from_iterable(self._by_node)),
            HashTrieSet(self._ahead),
        )
        return State(
            self._seq,
            HashTrieMap(chain.from_iterable(self._tokens)),
            HashTrieMap(chain.from_iterable(self._nodes)),
            HashTrieMap(chain.from_iterable(self._links)),
            addresses,
            self._digest_seq,
            self._key_check,
            HashTrieMap(chain.from_iterable(self._unregistered)),
            self._authorities,
            HashTrieMap(chain.from_iterable(self._sessions)),
        )


def _pairs(keys: Iterable[str], values: Iterable[T]) -> Iterator[tuple[str, T]]:
    """Columns as entries; copied now, since a lazy read would keep the whole message alive."""
    return zip(list(keys), list(values), strict=True)
