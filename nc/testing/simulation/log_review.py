"""Compares a simulated cluster's log, at the end, with its answers and observations."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cache
from typing import Final, NamedTuple

from eventlog.api import Record
from nc.domain.codec.digest import digest
from nc.domain.events import Batch, Event
from nc.domain.evolve import evolve_entries
from nc.domain.fsm import ConnectionState
from nc.domain.levels import LEVEL, level_of
from nc.domain.links import link_of
from nc.domain.state import State
from nc.pb import events_pb2 as pb
from nc.testing.contract.history import LogView, Sighting
from nc.testing.contract.laws import cluster as laws
from nc.testing.contract.laws.order import answers_are_never_stale
from nc.testing.contract.operations import SERVER_NODE, CheckState, GetAddress
from nc.testing.contract.values import CONNECTED, IDLE, INIT
from nc.testing.simulation.calls import CallRecord
from nc.testing.simulation.chronicle import Chronicle
from nc.testing.simulation.shared_log import Message

_STATES: Final = {
    ConnectionState.IDLE: IDLE,
    ConnectionState.INIT: INIT,
    ConnectionState.CONNECTED: CONNECTED,
}


class GivenAddress(NamedTuple):
    node: str
    node_id: str
    address: str
    seq: int
    at_s: float


def read_log(
    chronicle: Chronicle, records: Iterable[Record], states: Sequence[State]
) -> list[State]:
    """Add the log to the history, and compare it with its digests and the servers' states.

    Returns:
        The state after each record, from the empty one on.
    """
    entries: list[pb.Entry] = []
    past = [State()]
    recorded: list[pb.DigestRecorded] = []
    for record in records:
        batch = Batch.FromString(record.payload).entries
        events = [event for entry in batch for event in entry.events]
        _look_for_lost_links(chronicle, past[-1], events)
        entries += batch
        chronicle.records.append(record)
        past.append(evolve_entries(past[-1], batch))
        recorded += [event.digest_recorded for event in events if event.digest_recorded.digest]
    at_seqs = {state.seq: state for state in past}  # at the ends of records, as digests are
    replayed = cache(lambda seq: digest(at_seqs[seq]) if seq in at_seqs else b"")
    for each in recorded:
        sighting = Sighting(f"the digest of event {each.seq}", 0, each.seq)
        chronicle.saw(laws.DIGESTS.name, sighting, holds=each.digest == replayed(each.seq).hex())
    pairs = [(digest(each), replayed(each.seq)) for each in states if each.seq in at_seqs]
    nothing: tuple[bytes | None, bytes | None] = (None, None)
    live = next((pair for pair in pairs if pair[0] != pair[1]), pairs[-1] if pairs else nothing)
    chronicle.log = LogView(entries, *live)
    return past


def _look_for_lost_links(chronicle: Chronicle, before: State, events: Sequence[Event]) -> None:
    """Check that a link is lost only with the session of its server."""
    sessions = set(before.sessions)
    for event in events:
        if event.HasField("replica_lost"):
            sessions.discard(event.replica_lost.session)
        change = event.state_changed
        if change.reason == pb.STATE_CHANGE_REASON_REPLICA_LOST:
            what = f"link {change.link_id} is lost, and its server goes on"
            sighting = Sighting(what, 0, before.seq + 1)
            chronicle.saw(laws.OWN_LINKS.name, sighting, holds=change.session not in sessions)


def look_for_appends_of_others(chronicle: Chronicle, messages: Sequence[Message]) -> None:
    """Check that from one election to the next just the writer that was elected appends."""
    leader = ""
    for seq, writer, event in _events(messages):
        if event.HasField("leader_elected"):
            leader = writer
        sighting = Sighting(f"{writer} appends, and {leader} leads", 0, seq)
        chronicle.saw(laws.LEADER_APPENDS.name, sighting, holds=writer == leader)


def look_for_unknown_kinds(chronicle: Chronicle, messages: Sequence[Message]) -> None:
    """Check that every server that goes on knows each kind, by the level that it has said."""
    levels: dict[str, tuple[str, int]] = {}  # by server: its session, and the session's level
    for seq, _, event in _events(messages):
        kind = event.WhichOneof("kind")
        if kind == "replica_started":
            started = event.replica_started
            levels[started.replica_id] = started.session, started.level
        elif kind in ("replica_stopped", "replica_lost"):
            ended = getattr(event, kind).session
            levels = {name: each for name, each in levels.items() if each[0] != ended}
        lowest = min((level for _, level in levels.values()), default=level_of(event))
        sighting = Sighting(f"{kind} is written for a server of level {lowest}", 0, seq)
        chronicle.saw(laws.KNOWN_KINDS.name, sighting, holds=lowest >= level_of(event))


def _events(messages: Sequence[Message]) -> Iterator[tuple[int, str, Event]]:
    """Each event with its sequence number, and who appended it."""
    seq = 0
    for message in messages:
        for entry in Batch.FromString(message.record.payload).entries:
            for event in entry.events:
                seq += 1
                yield seq, message.writer, event


def look_for_stale_answers(
    chronicle: Chronicle,
    calls: Sequence[CallRecord],
    past: Sequence[State],
    id_of: Callable[[str], str],
) -> None:
    """Check that each query's answer was true after some event during the query.

    Of several servers each knows what was acknowledged before the query; one alone knows all.
    """
    seqs = [state.seq for state in past]
    acknowledged = _Acknowledged(chronicle, calls) if chronicle.plan.is_shared else None
    for call in calls:
        query, answer = call.operation, call.answer
        if not isinstance(query, CheckState | GetAddress) or query.node == SERVER_NODE:
            continue
        if answer is None or not answer.is_ok:
            continue
        known_seq = acknowledged.before(call) if acknowledged else call.known_seq
        last = max(call.known_seq, call.answered_seq)  # what is between may be known or not
        first, end = bisect_right(seqs, known_seq) - 1, bisect_right(seqs, last)
        said = answer.facts.state, answer.facts.address
        possible = [_facts(state, id_of(query.node), said[0]) for state in past[first:end]]
        sighting = Sighting(f"step {call.number}, {call}", call.begun_s, last)
        chronicle.saw(answers_are_never_stale.name, sighting, holds=said in possible)


class _Acknowledged:
    """Which event was the last that had been acknowledged, as of each tick of the calls."""

    def __init__(self, chronicle: Chronicle, calls: Sequence[CallRecord]) -> None:
        seqs: dict[str, int] = {}
        seq = 0
        for entry in chronicle.entries:
            seq += len(entry.events)
            seqs[entry.request_id] = seq
        self._ended: list[int] = []
        self._seqs: list[int] = [0]
        for call in sorted(calls, key=lambda each: each.ended):
            if call.answer is not None and call.answer.is_ok and call.request_id in seqs:
                self._ended.append(call.ended)
                self._seqs.append(max(self._seqs[-1], seqs[call.request_id]))

    def before(self, call: CallRecord) -> int:
        return self._seqs[bisect_right(self._ended, call.begun)]


def look_for_wrong_refusals(
    chronicle: Chronicle, called_old: Sequence[tuple[str, int, int]], past: Sequence[State]
) -> None:
    """Check that each server that was called too old was so at some event meanwhile."""
    seqs = [state.seq for state in past]
    for name, known_seq, last_seq in called_old:
        known = past[bisect_right(seqs, known_seq) - 1 : bisect_right(seqs, last_seq)]
        levels = [state.membership.replicas[name].level for state in known]
        sighting = Sighting(f"{name} is called too old, of level {levels}", 0, last_seq)
        chronicle.saw(laws.TOO_OLD.name, sighting, holds=min(levels) < LEVEL)


def look_for_wrong_outcomes(
    chronicle: Chronicle, refused: Collection[str], acknowledged: Collection[str]
) -> None:
    """Check that what was acknowledged is in the log, and what "changed nothing" is not."""
    ids = {entry.request_id for entry in chronicle.entries}
    for said, is_there in ((refused, False), (acknowledged, True)):
        for request_id in sorted(said):
            what = f"{request_id} is {'not ' * is_there}in the log"
            holds = (request_id in ids) is is_there
            chronicle.saw(laws.TRUE_ANSWER.name, Sighting(what, 0, 0), holds=holds)


def _facts(state: State, node_id: str, asked: int | None) -> tuple[int | None, str | None]:
    """A node's state as clients see it, if that was asked for, and its address."""
    connection = _STATES[link_of(state.links, node_id).state]
    return None if asked is None else connection, state.addresses.address_of(node_id)


def compare_addresses(chronicle: Chronicle, given: Sequence[GivenAddress]) -> None:
    handed_over: Counter[str] = Counter()
    bound: set[tuple[str, str]] = set()
    released: set[str] = set()
    for event in (event for entry in chronicle.entries for event in entry.events):
        if event.state_changed.to_state == pb.CONNECTION_STATE_CONNECTED:
            handed_over[event.state_changed.node_id] += 1
        if event.HasField("address_bound"):
            bound.add((event.address_bound.node_id, event.address_bound.address))
        if event.HasField("address_released"):
            released.add(event.address_released.node_id)
    known: dict[str, str] = {}
    times: Counter[str] = Counter()
    for node, node_id, address, seq, at_s in given if chronicle.log else ():
        times[node_id] += 1
        is_known = (node_id, address) in bound and times[node_id] <= handed_over[node_id]
        sighting = Sighting(f"{node} was given {address}", at_s, seq)
        chronicle.saw(laws.DURABLE_ADDRESS.name, sighting, holds=is_known)
        if node_id in known and node_id not in released:
            what = f"{node} had {known[node_id]} and was given {address}"
            sighting = Sighting(what, at_s, seq)
            chronicle.saw(laws.KEEPS_ADDRESS.name, sighting, holds=address == known[node_id])
        known[node_id] = address
