"""Redaction: makes a history that names nothing, and that replays like the original. Pure.

Nodes, bootstrap tokens, links, requests, replicas and sessions are numbered in order of appearance;
overlay networks move (`nc.history.redact.addresses`). Of an actor the kind is left. Certificates
lose their serials, a start its key check, a repair its paths; fields of an unknown version are
dropped. Times, versions, reasons, states and expiries stay. So

    fold(redacted(events)) = redacted(fold(events))

and every question to the one history can be put to the other. Digests of the state are computed
anew. Two passes are needed: the first finds the networks, and the events that have digests.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any, Final, NamedTuple

from rpds import HashTrieMap, HashTrieSet, Queue

from eventlog.api import Record
from eventlog.format import NO_CHAIN
from nc.domain.addresses import Addresses
from nc.domain.codec.digest import digest
from nc.domain.codec.records import entries_of
from nc.domain.events import (
    AddressBound,
    AddressReleased,
    Batch,
    Certificate,
    DigestRecorded,
    Entry,
    Event,
    ExpiryChanged,
    LogRepaired,
    NodeForgotten,
    NodeRegistered,
    ReplicaStarted,
    ReplicaStopped,
    StateChanged,
    TokenExpired,
    TokenIssued,
    Unregistered,
)
from nc.domain.evolve import UnknownEvent
from nc.domain.network import Network
from nc.domain.replicas import NO_AUTHORITIES
from nc.domain.state import State
from nc.history.events import Recorded, field_of
from nc.history.fold import RunningState
from nc.history.redact.addresses import SMALLEST, Block, Relocation, block_of
from nc.history.redact.names import Names, new_names
from nc.pb import network_controller_pb2, sensor_pb2

__all__ = ["Plan", "Redaction", "plan_of"]

# The known kinds of actors (the text before the first colon), and the known methods. Any other text
# could identify someone.
ACTORS: Final = frozenset(("certificate", "bootstrap", "node", "link", "system", "anonymous"))
METHODS: Final = frozenset(
    (
        *("start", "stop", "sweep", "link", "digest", "log repair"),
        *(
            method.name
            for file in (network_controller_pb2, sensor_pb2)
            for service in file.DESCRIPTOR.services_by_name.values()
            for method in service.methods
        ),
    )
)
OTHER: Final = "other"

_EPOCH: Final = 1  # the redacted log has had one writer


class Plan(NamedTuple):
    relocation: Relocation
    digested: frozenset[int]  # the events after which a digest of the state was taken


def plan_of(base: State, history: Iterable[Recorded]) -> Plan:
    """The first pass over a history that is to be redacted.

    Args:
        base: the state before its first event.
        history: all of it; it may hold more of the same log before or behind.

    Raises:
        UnknownEvent: a newer version wrote an event.
    """
    networks = [block_of(base.addresses.network)]
    strays = {_around(held.address) for held in base.addresses.by_node.values()}
    digested = set()
    for seq, _, event in history:
        try:
            if event.HasField("replica_started"):
                networks.append(block_of(Network.parse(event.replica_started.network_address)))
            elif event.HasField("digest_recorded"):
                digested.add(event.digest_recorded.seq)
            elif address := field_of(event, "address"):
                strays.add(_around(address))
        except ValueError as error:
            raise UnknownEvent(seq) from error
    return Plan(Relocation([*networks, *sorted(strays)]), frozenset(digested))


def _around(address: str) -> Block:
    """The smallest network that an address can be in."""
    return Block(int(IPv4Address(address)) & -SMALLEST, SMALLEST)


class Redaction:
    """Redacts one history, record by record.

    Args:
        base: the state before its first event.
        plan: what the first pass found.

    Attributes:
        base: the same, redacted.
    """

    def __init__(self, base: State, plan: Plan) -> None:
        self._plan = plan
        self._names = new_names(plan.relocation)
        self.base = self.state(base)
        self._fold = RunningState(self.base)
        self._folded_until = max(plan.digested, default=0)
        self._keep_digest(base.seq)

    def state(self, state: State) -> State:
        """A state of this history, redacted; what has no number yet gets one in order of ids."""
        names = self._names
        node, token, place = names.node, names.token, names.place
        pool = state.addresses
        tokens = {token(key): value for key, value in sorted(state.tokens.items())}
        nodes = {
            node(key): value._replace(token_id=token(value.token_id))
            for key, value in sorted(state.nodes.items())
        }
        links = {
            node(key): link._replace(
                link_id=names.link(link.link_id), session=names.session(link.session)
            )
            for key, link in sorted(state.links.items())
        }
        by_node = {
            node(key): held._replace(address=place.address(held.address))
            for key, held in sorted(pool.by_node.items())
        }
        addresses = Addresses(
            place.network(pool.network),
            pool.next_slot,
            Queue(map(place.address, pool.released)),
            HashTrieMap(by_node),
            HashTrieSet(map(place.address, pool.ahead)),
        )
        return replace(
            state,
            tokens=HashTrieMap(tokens),
            nodes=HashTrieMap(nodes),
            links=HashTrieMap(links),
            addresses=addresses,
            key_check="",
            authorities=NO_AUTHORITIES,
            unregistered=HashTrieMap(
                {node(key): until_ms for key, until_ms in sorted(state.unregistered.items())}
            ),
            sessions=HashTrieMap(
                {
                    names.session(session): names.replica(replica_id)
                    for session, replica_id in sorted(state.sessions.items())
                }
            ),
        )

    def record(self, record: Record) -> Record:
        """The next record with events, redacted. Its chain is not known before it is written.

        Raises:
            UnknownEvent: a newer version wrote one of its events.
        """
        seq = record.first_seq
        entries = []
        for entry in entries_of(record):
            redacted = self._entry(entry)
            for event in entry.events:
                added = redacted.events.add()
                added.CopyFrom(self._event(seq, event))
                self._pass(Recorded(seq, redacted, added))
                seq += 1
            entries.append(redacted)
        payload = Batch(entries=entries).SerializeToString()
        return record._replace(epoch=_EPOCH, chain=NO_CHAIN, payload=payload)

    def _pass(self, recorded: Recorded) -> None:
        if recorded.seq <= self._folded_until:
            self._fold.add(recorded)
            self._keep_digest(recorded.seq)

    def _keep_digest(self, seq: int) -> None:
        if seq in self._plan.digested:
            self._names.digests[seq] = digest(self._fold.state).hex()

    def _entry(self, entry: Entry) -> Entry:
        actor = entry.actor.partition(":")[0]
        return Entry(
            recorded_at_ns=entry.recorded_at_ns,
            actor=actor if actor in ACTORS else OTHER,
            method=entry.method if entry.method in METHODS else OTHER,
            request_id=self._names.request(entry.request_id),
        )

    def _event(self, seq: int, event: Event) -> Event:
        kind = event.WhichOneof("kind")
        if kind is None:
            raise UnknownEvent(seq)
        try:
            return Event(**{kind: _REDACTED[kind](self._names, getattr(event, kind))})
        except ValueError as error:
            raise UnknownEvent(seq) from error


# What becomes of each kind of event: made of what this version knows, field by field, since a newer
# one may have added fields.
_REDACTED: Final[dict[str, Callable[[Names, Any], Any]]] = {
    "replica_started": lambda names, e: ReplicaStarted(
        replica_id=names.replica(e.replica_id),
        version=e.version,
        network_address=names.place.interface(e.network_address),
        session=names.session(e.session),
        is_alone=e.is_alone,
    ),
    "replica_stopped": lambda names, e: ReplicaStopped(
        replica_id=names.replica(e.replica_id), session=names.session(e.session)
    ),
    "token_issued": lambda names, e: TokenIssued(
        token_id=names.token(e.token_id), expires_at_ms=e.expires_at_ms
    ),
    "token_expired": lambda names, e: TokenExpired(token_id=names.token(e.token_id)),
    "node_registered": lambda names, e: NodeRegistered(
        node_id=names.node(e.node_id),
        token_id=names.token(e.token_id) if e.token_id else "",
        taken_back=e.taken_back,
        certificates=[
            Certificate(authority=each.authority, not_after_ms=each.not_after_ms)
            for each in e.certificates
        ],
    ),
    "state_changed": lambda names, e: StateChanged(
        node_id=names.node(e.node_id),
        from_state=e.from_state,
        to_state=e.to_state,
        link_id=names.link(e.link_id),
        reason=e.reason,
        session=names.session(e.session),
    ),
    "address_bound": lambda names, e: AddressBound(
        node_id=names.node(e.node_id), address=names.place.address(e.address)
    ),
    "address_released": lambda names, e: AddressReleased(
        node_id=names.node(e.node_id), address=names.place.address(e.address), reason=e.reason
    ),
    "expiry_changed": lambda names, e: ExpiryChanged(
        node_id=names.node(e.node_id), expires_at_ms=e.expires_at_ms
    ),
    "unregistered": lambda names, e: Unregistered(
        node_id=names.node(e.node_id),
        reason=e.reason,
        remembered_until_ms=e.remembered_until_ms,
    ),
    "node_forgotten": lambda names, e: NodeForgotten(node_id=names.node(e.node_id)),
    # one of a state before the slice cannot be made
    "digest_recorded": lambda names, e: DigestRecorded(
        seq=e.seq, digest=names.digests.get(e.seq, "")
    ),
    "log_repaired": lambda _, e: LogRepaired(lost_through_seq=e.lost_through_seq),
}
