"""Redaction: makes a history that names nothing, and that replays like the original. Pure.

Nodes, bootstrap tokens, links, requests, replicas and sessions are numbered in order of appearance;
names, labels, facts and other texts too; overlay networks move (`nc.history.redact.addresses`). Of
an actor the kind is left. Nodes' certificates lose their serials, a start its key check, a repair
its paths; fields of an unknown version are dropped (`nc.history.redact.events`). Times, versions,
reasons, states and expiries stay. So

    fold(redacted(events)) = redacted(fold(events))

and every question to the one history can be put to the other. Digests of the state are computed
anew. Two passes are needed: the first finds the networks, and the events that have digests.
"""

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Final, NamedTuple

from rpds import HashTrieMap, HashTrieSet, Queue

from eventlog.api import Record
from eventlog.format import NO_CHAIN
from nc.domain.addresses import Addresses
from nc.domain.bindings import session_holder, session_of
from nc.domain.codec.digest import digest
from nc.domain.codec.records import Recorded, entries_of
from nc.domain.events import Batch, Entry, Event
from nc.domain.evolve import UnknownEvent
from nc.domain.network import Network
from nc.domain.replicas import NO_AUTHORITIES
from nc.domain.state import State
from nc.history.events import field_of
from nc.history.fold import RunningState
from nc.history.redact.addresses import SMALLEST, Block, Relocation, block_of
from nc.history.redact.events import (
    REDACTED,
    redacted_administrators,
    redacted_membership,
    redacted_profile,
    redacted_terms,
)
from nc.history.redact.names import Names, new_names
from nc.pb import network_controller_pb2, sensor_pb2
from nc.pb.admin.v1 import administrators_pb2, nodes_pb2, replicas_pb2, tokens_pb2
from nc.pb.node.v1 import node_pb2
from nc.pb.replica.v1 import joining_pb2

_API: Final = (
    *(network_controller_pb2, sensor_pb2, node_pb2, joining_pb2),
    *(nodes_pb2, tokens_pb2, administrators_pb2, replicas_pb2),
)

# The known kinds of actors (the text before the first colon), and the known methods. Any other text
# could identify someone.
ACTORS: Final = frozenset(
    ("certificate", "bootstrap", "node", "link", "system", "anonymous", "import", "invitation")
)
METHODS: Final = frozenset(
    (
        *("start", "stop", "sweep", "link", "digest", "certificates", "log repair"),
        *("election", "losses", "addresses", "import-litekube"),
        *(
            name
            for file in _API
            for service in file.DESCRIPTOR.services_by_name.values()
            for method in service.methods
            for name in (method.name, f"{service.full_name}/{method.name}")
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
            elif event.HasField("leader_elected"):
                continue  # its address is no overlay address
            elif address := field_of(event, "address"):
                strays.add(_around(address))
        except ValueError as error:
            raise UnknownEvent(seq) from error
    return Plan(Relocation([*networks, *sorted(strays)]), frozenset(digested))


def _redacted_holder(names: Names, holder: str) -> str:
    """Who holds an address: a node, or a replica by its session."""
    session = session_of(holder)
    return names.node(holder) if session is None else session_holder(names.session(session))


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
        tokens = {
            token(key): value._replace(terms=redacted_terms(names, value.terms))
            for key, value in sorted(state.tokens.items())
        }
        nodes = {
            node(key): value._replace(
                token_id=token(value.token_id), profile=redacted_profile(names, value.profile)
            )
            for key, value in sorted(state.nodes.items())
        }
        links = {
            node(key): link._replace(
                link_id=names.link(link.link_id), session=names.session(link.session)
            )
            for key, link in sorted(state.links.items())
        }
        by_node = {
            _redacted_holder(names, key): held._replace(address=place.address(held.address))
            for key, held in sorted(pool.by_node.items())
        }
        addresses = Addresses(
            place.network(pool.network),
            pool.next_slot,
            Queue(map(place.address, pool.released)),
            HashTrieMap(by_node),
            HashTrieSet(map(place.address, pool.ahead)),
            pool.idle_hours,
        )
        return replace(
            state,
            tokens=HashTrieMap(tokens),
            nodes=HashTrieMap(nodes),
            links=HashTrieMap(links),
            addresses=addresses,
            names=HashTrieMap(
                (each.profile.name, node_id) for node_id, each in nodes.items() if each.profile.name
            ),
            administrators=redacted_administrators(names, state.administrators),
            imported=frozenset(map(names.hash, sorted(state.imported))),
            membership=redacted_membership(names, state.membership),
            key_check="",
            authorities=NO_AUTHORITIES,
            unregistered=HashTrieMap(
                {node(key): until_ms for key, until_ms in sorted(state.unregistered.items())}
            ),
            leader=state.leader._replace(session=names.session(state.leader.session), address=""),
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
            return Event(**{kind: REDACTED[kind](self._names, getattr(event, kind))})
        except ValueError as error:
            raise UnknownEvent(seq) from error
