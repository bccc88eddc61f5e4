"""Compares a simulated cluster's log, at the end, with its answers and observations."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from eventlog import EventLog
from nc.domain.codec.digest import digest
from nc.domain.events import Batch
from nc.domain.evolve import evolve_entries
from nc.domain.fsm import ConnectionState
from nc.domain.links import link_of
from nc.domain.state import State
from nc.pb import events_pb2 as pb
from nc.testing.contract.history import LogView, Sighting
from nc.testing.contract.laws.cluster import DIGESTS, DURABLE_ADDRESS, KEEPS_ADDRESS
from nc.testing.contract.laws.order import answers_are_never_stale
from nc.testing.contract.operations import SERVER_NODE, CheckState, GetAddress
from nc.testing.contract.values import CONNECTED, IDLE, INIT
from nc.testing.simulation.calls import CallRecord
from nc.testing.simulation.chronicle import Chronicle

_STATES: Final = {
    ConnectionState.IDLE: IDLE,
    ConnectionState.INIT: INIT,
    ConnectionState.CONNECTED: CONNECTED,
}


class GivenAddress(NamedTuple):
    """An agent was given its address."""

    node: str
    node_id: str
    address: str
    seq: int
    at_s: float


def read_log(chronicle: Chronicle, log: EventLog, states: Sequence[State]) -> list[State]:
    """Add the log to the history, and compare it with its digests and the servers' states.

    Returns:
        The state after each record, from the empty one on.
    """
    entries: list[pb.Entry] = []
    past = [State()]
    digests: list[tuple[bytes | None, bytes | None]] = [(None, None)]  # nothing to compare yet
    at_seqs: dict[int, str] = {}  # at the ends of records, which is what digests are of
    for record in log.read():
        batch = Batch.FromString(record.payload).entries
        events = [event for entry in batch for event in entry.events]
        entries += batch
        chronicle.records.append(record)
        state = evolve_entries(past[-1], batch)
        past.append(state)
        replayed_here = digest(state)
        at_seqs[state.seq] = replayed_here.hex()
        for recorded in (event.digest_recorded for event in events):
            if recorded.digest:
                sighting = Sighting(f"the digest of event {recorded.seq}", 0, recorded.seq)
                holds = recorded.digest == at_seqs.get(recorded.seq)
                chronicle.saw(DIGESTS.name, sighting, holds=holds)
        digests += [(digest(each), replayed_here) for each in states if each.seq == state.seq]
    live, replayed = next((pair for pair in digests if pair[0] != pair[1]), digests[-1])
    chronicle.log = LogView(entries, live, replayed)
    return past


def look_for_stale_answers(
    chronicle: Chronicle,
    calls: Sequence[CallRecord],
    past: Sequence[State],
    id_of: Callable[[str], str],
) -> None:
    """Check that each query's answer was true after some event during the query."""
    seqs = [state.seq for state in past]
    for call in calls:
        query, answer = call.operation, call.answer
        if not isinstance(query, CheckState | GetAddress) or query.node == SERVER_NODE:
            continue
        if answer is None or not answer.is_ok:
            continue
        last = max(call.known_seq, call.answered_seq)  # what is between may be known or not
        first, end = bisect_right(seqs, call.known_seq) - 1, bisect_right(seqs, last)
        said = answer.facts.state, answer.facts.address
        possible = [_facts(state, id_of(query.node), said[0]) for state in past[first:end]]
        sighting = Sighting(f"step {call.number}, {call}", call.begun_s, last)
        chronicle.saw(answers_are_never_stale.name, sighting, holds=said in possible)


def _facts(state: State, node_id: str, asked: int | None) -> tuple[int | None, str | None]:
    """A node's state as clients see it, if that was asked for, and its address."""
    connection = _STATES[link_of(state.links, node_id).state]
    return None if asked is None else connection, state.addresses.address_of(node_id)


def compare_addresses(chronicle: Chronicle, given: Sequence[GivenAddress]) -> None:
    """Compare the addresses that agents were given with the log."""
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
        chronicle.saw(DURABLE_ADDRESS.name, sighting, holds=is_known)
        if node_id in known and node_id not in released:
            what = f"{node} had {known[node_id]} and was given {address}"
            sighting = Sighting(what, at_s, seq)
            chronicle.saw(KEEPS_ADDRESS.name, sighting, holds=address == known[node_id])
        known[node_id] = address
