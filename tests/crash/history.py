"""A log read back without the program's own fold: plain dictionaries, and every law asserted.

Invariants, checked at every event from the first one on:

    1. records are whole, sequence numbers have no gaps, the chain verifies (`LogReader`)
    2. an entry is one command's: it says who, through what, by which request, and is all there
    3. a node is registered once, under a token that was issued, with one certificate of each CA
       whose serial nobody else has
    4. no two nodes hold one address, and no node holds two
    5. states move by the table alone, each from where the one before left it
    6. a replica starts into a world where every node is idle
    7. folding the log with `nc.projections` from nothing comes to the same
    8. digests are of earlier events, in order, and what that fold comes to
"""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eventlog import LogReader
from nc.domain.codec.records import entries_of, events_of
from nc.domain.events import Entry, Event, pb
from nc.domain.evolve import evolve_entries
from nc.domain.state import State
from nc.history.replay_check import check, recorded_digests

IDLE, INIT, CONNECTED = (
    pb.CONNECTION_STATE_IDLE,
    pb.CONNECTION_STATE_INIT,
    pb.CONNECTION_STATE_CONNECTED,
)
MOVES = {(IDLE, INIT), (INIT, CONNECTED), (INIT, IDLE), (CONNECTED, IDLE)}
AUTHORITIES = {pb.CERTIFICATE_AUTHORITY_GRPC, pb.CERTIFICATE_AUTHORITY_NETWORK}

# The last event of a whole entry, by what was called; the ones before it depend on the state.
LAST_EVENT = {
    "GetToken": "node_registered",
    "GetBootStrapToken": "token_issued",
    "UnRegister": "unregistered",
    "UpdateSensorExpireTime": "expiry_changed",
    "stop": "replica_stopped",
}


@dataclass
class History:
    """What a log amounts to, and what it says about each request."""

    last_seq: int = 0
    tokens: dict[str, int] = field(default_factory=dict)  # id to expiry
    nodes: dict[str, int] = field(default_factory=dict)  # id to expiry
    links: dict[str, tuple[Any, str]] = field(default_factory=dict)  # node to state and link id
    by_node: dict[str, str] = field(default_factory=dict)  # node to address
    by_address: dict[str, str] = field(default_factory=dict)
    serials: set[str] = field(default_factory=set)
    starts: list[int] = field(default_factory=list)  # sequence numbers
    stops: list[int] = field(default_factory=list)
    entries: dict[str, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    installed: list[int] = field(default_factory=list)  # administrators' certificates, at starts
    digests: list[int] = field(default_factory=list)
    digested: int = 0  # the event that the last of them is of
    bindings: list[dict[str, str]] = field(default_factory=list)  # by_node after each event

    def events_of(self, request_id: str) -> list[Event]:
        """What one request led to: one entry's events, or none."""
        entries = self.entries.get(request_id, [])
        assert len(entries) <= 1, f"request {request_id} is in the log {len(entries)} times"
        return [event for entry in entries for event in entry.events]

    def apply(self, entry: Entry) -> None:
        """Fold one entry, and check it."""
        assert entry.actor, entry
        assert entry.method, entry
        assert entry.request_id, entry
        assert entry.recorded_at_ns, entry
        assert entry.events, entry
        for event in entry.events:
            self.last_seq += 1
            kind = event.WhichOneof("kind")
            assert kind is not None, event
            getattr(self, f"_{kind}")(getattr(event, kind))
            self.bindings.append(dict(self.by_node))
        if entry.events[0].HasField("administrator_added"):  # recorded together with a start
            self.entries[entry.request_id].append(entry)
            return
        last = entry.events[-1].WhichOneof("kind")
        assert last == LAST_EVENT.get(entry.method, last), entry
        if entry.method == "start":
            assert entry.events[0].HasField("replica_started"), entry
            assert not self.links, f"not idle after the start at {self.starts[-1]}: {self.links}"
        self.entries[entry.request_id].append(entry)

    def _replica_started(self, event: pb.ReplicaStarted) -> None:
        assert event.replica_id, event
        self.starts.append(self.last_seq)

    def _replica_stopped(self, event: pb.ReplicaStopped) -> None:
        assert event.replica_id, event
        self.stops.append(self.last_seq)

    def _digest_recorded(self, event: pb.DigestRecorded) -> None:
        assert self.digested < event.seq < self.last_seq, event
        self.digested = event.seq
        self.digests.append(self.last_seq)

    def _token_issued(self, event: pb.TokenIssued) -> None:
        assert event.token_id not in self.tokens, event
        self.tokens[event.token_id] = event.expires_at_ms

    def _token_expired(self, event: pb.TokenExpired) -> None:
        del self.tokens[event.token_id]

    def _node_registered(self, event: pb.NodeRegistered) -> None:
        assert event.node_id not in self.nodes, event
        assert event.token_id in self.tokens, event
        assert len(event.certificates) == len(AUTHORITIES), event
        assert {c.authority for c in event.certificates} == AUTHORITIES, event
        for certificate in event.certificates:
            assert certificate.serial, event
            assert certificate.serial not in self.serials, event
            assert certificate.not_after_ms > 0, event
            self.serials.add(certificate.serial)
        self.nodes[event.node_id] = 0

    def _administrator_added(self, event: pb.AdministratorAdded) -> None:
        assert event.installed, event
        assert event.certificate.serial not in self.serials, event
        self.serials.add(event.certificate.serial)
        self.installed.append(self.last_seq)

    def _node_facts_reported(self, event: pb.NodeFactsReported) -> None:
        assert event.node_id in self.nodes, event

    def _expiry_changed(self, event: pb.ExpiryChanged) -> None:
        assert event.node_id in self.nodes, event
        self.nodes[event.node_id] = event.expires_at_ms

    def _unregistered(self, event: pb.Unregistered) -> None:
        assert event.node_id not in self.links, event
        assert event.node_id not in self.by_node, event
        del self.nodes[event.node_id]

    def _node_forgotten(self, event: pb.NodeForgotten) -> None:
        assert event.node_id not in self.nodes, event

    def _state_changed(self, event: pb.StateChanged) -> None:
        assert event.node_id in self.nodes, event
        state, link_id = self.links.get(event.node_id, (IDLE, event.link_id))
        assert event.from_state == state, event
        assert event.link_id == link_id, event
        assert event.link_id, event
        assert (state, event.to_state) in MOVES, event
        if event.to_state == IDLE:
            del self.links[event.node_id]
        else:
            self.links[event.node_id] = (event.to_state, event.link_id)
        if event.to_state == CONNECTED:
            assert event.node_id in self.by_node, event

    def _address_bound(self, event: pb.AddressBound) -> None:
        assert event.node_id in self.nodes, event
        assert event.node_id not in self.by_node, event
        assert event.address not in self.by_address, (
            f"{event} is {self.by_address[event.address]}'s"
        )
        self.by_node[event.node_id] = event.address
        self.by_address[event.address] = event.node_id

    def _address_released(self, event: pb.AddressReleased) -> None:
        assert self.by_node.pop(event.node_id) == event.address, event
        assert self.by_address.pop(event.address) == event.node_id, event


def read_history(folder: Path) -> tuple[History, State]:
    """Read a log from its first byte and check every law; also the program's own fold of it."""
    history = History()
    state = State()
    for record in LogReader(folder).read():
        assert record.first_seq == history.last_seq + 1
        entries = entries_of(record)
        for entry in entries:
            history.apply(entry)
        state = evolve_entries(state, entries)
    _assert_same(history, state)
    everything = [each for record in LogReader(folder).read() for each in events_of(record)]
    assert check(everything, recorded_digests(everything)).fault is None
    return history, state


def _assert_same(history: History, state: State) -> None:
    """The program's fold comes to what the plain one does, and no address has two holders."""
    assert state.seq == history.last_seq
    assert {i: t.expires_at_ms for i, t in state.tokens.items()} == history.tokens
    assert {i: n.expires_at_ms for i, n in state.nodes.items()} == history.nodes
    assert {i: (link.state.value, link.link_id) for i, link in state.links.items()} == history.links
    assert {i: b.address for i, b in state.addresses.by_node.items()} == history.by_node
    assert {address: i for i, address in history.by_node.items()} == history.by_address
    for node_id, binding in state.addresses.by_node.items():
        assert (binding.idle_since_seq is None) == (node_id in history.links)
