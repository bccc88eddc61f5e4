"""State ⇄ bytes: a snapshot's payload, encoded part by part so that the event loop runs between.

    decode(join(encode(state)), state.seq) == state     for every state that events can lead to

Columns rather than entries: a node costs a few list elements instead of a message.
`proto/nc/pb/snapshot.proto` is the format.
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from itertools import count, islice
from typing import Any, Final, TypeVar

from google.protobuf.message import DecodeError

from nc.domain.addresses import Addresses
from nc.domain.administrators import Administrator
from nc.domain.bindings import Binding
from nc.domain.codec.membership import membership_parts
from nc.domain.codec.snapshot_reader import Reader
from nc.domain.leadership import NO_LEADER
from nc.domain.links import NodeLink
from nc.domain.nodes import Node
from nc.domain.profile import NO_FACTS, NO_PROFILE, Profile, label_messages
from nc.domain.state import State
from nc.domain.terms import NO_TERMS
from nc.domain.tokens import Token
from nc.pb import snapshot_pb2 as pb

T = TypeVar("T")

# A new number for every change of the format or of a fold: a snapshot of another schema is skipped,
# and the events are read instead.
SNAPSHOT_SCHEMA: Final = 5

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
        imported=sorted(state.imported),
        leader=state.leader.event() if state.leader != NO_LEADER else None,
        leader_awaits_start=state.leader.awaits_start,
    )
    for released in _slices(pool.released):
        yield pb.StatePart(pool=pb.Pool(released=released))
    for ahead in _slices(order(pool.ahead)):
        yield pb.StatePart(pool=pb.Pool(ahead=ahead))
    for tokens in _slices(order(state.tokens.items())):
        yield pb.StatePart(tokens=_tokens(tokens))
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
    yield from _administration(state, lambda some: _slices(order(some)))


def _administration(
    state: State, slices: Callable[[Iterable[Any]], Iterable[list[Any]]]
) -> Iterator[pb.StatePart]:
    for administrators in slices(state.administrators.by_serial.items()):
        yield pb.StatePart(administrators=_administrators(administrators, state))
    for members in membership_parts(state.membership, slices):
        yield pb.StatePart(membership=members)


def _slices(entries: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(entries)
    while some := list(islice(iterator, _PART_ENTRIES)):
        yield some


def _tokens(tokens: list[tuple[str, Token]]) -> pb.Tokens:
    return pb.Tokens(
        ids=[token_id for token_id, _ in tokens],
        expires_at_ms=[token.expires_at_ms for _, token in tokens],
        issued_at_ms=[token.issued_at_ms for _, token in tokens],
        uses=[token.uses for _, token in tokens],
        nodes=[token.nodes for _, token in tokens],
        day_began_ms=[token.day_began_ms for _, token in tokens],
        enrolled=[token.enrolled for _, token in tokens],
        terms=[
            _terms(index, token)
            for index, (_, token) in enumerate(tokens)
            if token.is_revoked or token.terms != NO_TERMS
        ],
    )


def _terms(index: int, token: Token) -> pb.TokenTerms:
    terms = token.terms
    return pb.TokenTerms(
        index=index,
        revoked=token.is_revoked,
        revoked_at_ms=token.revoked_at_ms or 0,
        label=terms.label,
        max_uses=terms.max_uses,
        max_nodes=terms.max_nodes,
        node_labels=label_messages(terms.node_labels),
        node_name_prefix=terms.node_name_prefix,
    )


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
        registered_at_ms=[node.registered_at_ms for _, node in nodes],
        certificates_end_ms=[node.certificates_end_ms for _, node in nodes],
        links=[node.links for _, node in nodes],
        idle_since_ms=[node.idle_since_ms for _, node in nodes],
        address_idle_since_ms=[binding.idle_since_ms for binding in held],
        ranks=[node.rank for _, node in nodes],
        assigned=[index for index, binding in enumerate(held) if binding.is_assigned],
        profiles=[
            _profile(index, node.profile)
            for index, (_, node) in enumerate(nodes)
            if node.profile != NO_PROFILE
        ],
    )


def _profile(index: int, profile: Profile) -> pb.NodeProfile:
    return pb.NodeProfile(
        index=index,
        name=profile.name,
        labels=label_messages(profile.labels),
        note=profile.note,
        facts=None if profile.facts == NO_FACTS else profile.facts.message(),
        key_sha256=profile.key_sha256,
        imported=profile.imported,
    )


def _links(links: list[tuple[str, NodeLink]], numbers: dict[str, int]) -> pb.Links:
    """Links, and the sessions that own them; `numbers` as for `_nodes`, of the sessions."""
    owners = [link.session for _, link in links]
    return pb.Links(
        node_ids=[node_id for node_id, _ in links],
        states=[link.state.value for _, link in links],
        link_ids=[link.link_id for _, link in links],
        since_ms=[link.since_ms for _, link in links],
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
        idle_since_ms=[binding.idle_since_ms for _, binding in bindings],
        assigned=[binding.is_assigned for _, binding in bindings],
    )


def _administrators(some: list[tuple[str, Administrator]], state: State) -> pb.Administrators:
    return pb.Administrators(
        installed=state.administrators.installed,
        administrators=[
            pb.Administrator(
                serial=serial,
                name=each.name,
                role=int(each.role),
                ends_at_ms=each.ends_at_ms,
                added_at_ms=each.added_at_ms,
                installed=each.is_installed,
                revoked=each.revoked_at_ms is not None,
                revoked_at_ms=each.revoked_at_ms or 0,
            )
            for serial, each in some
        ],
    )


def decode(payload: bytes, seq: int) -> State:
    """The state after event `seq`, from the snapshot that was taken there.

    Raises:
        ValueError: this is no snapshot's payload, or it has the state after another event.
    """
    reader = Reader()
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
