"""What clients and agents were told, kept until the end, when it is a history."""

import asyncio
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from eventlog import EventLog
from nc.domain.codec.digest import digest
from nc.domain.codec.records import entries_of
from nc.domain.evolve import evolve
from nc.domain.fsm import ConnectionState
from nc.domain.links import link_of
from nc.domain.state import State
from nc.pb import events_pb2 as pb
from nc.testing.history import Answer, LogView, Step, step_id, told, worded
from nc.testing.model import CONNECTED, IDLE, INIT, Moment
from nc.testing.operations import SERVER_NODE, CheckState, GetAddress, Operation
from nc.testing.simulation.chronicle import Chronicle, Sighting
from nc.testing.simulation.laws import DIGESTS, NEVER_STALE
from nc.testing.targets.in_process import START_MS


@dataclass
class Asked:
    """A call under way."""

    number: int
    operation: Operation
    begun_ms: int
    begun: int  # when, in the order of all beginnings and ends
    begun_s: float
    known_seq: int  # the last event that whoever asks may have heard of
    ended: int = 0
    answered_seq: int = 0  # the last event that whoever answers knows of

    @property
    def request_id(self) -> str:
        """What its entry in the log is known by."""
        return step_id(self.number)

    @property
    def worded(self) -> str:
        """For people."""
        return worded(self.operation, START_MS)


@dataclass(frozen=True)
class _Told:
    """An agent was told its address."""

    node: str
    node_id: str
    address: str
    seq: int
    at_s: float


class Records:
    """Fills a chronicle."""

    def __init__(self, chronicle: Chronicle) -> None:
        self._chronicle = chronicle
        self._ticks = 0
        self._asked: list[tuple[Asked, Moment, Answer | None]] = []
        self._under_way: list[Asked] = []
        self._count = 0
        self._addresses: list[_Told] = []
        self._has_new_names = False  # since there was last nobody under way
        self._all_answered = asyncio.Event()

    @property
    def must_wait(self) -> bool:
        """Whether a name was given out in this round, so that the next call belongs to another."""
        return bool(self._under_way) and self._has_new_names

    async def nothing_new(self) -> None:
        """Wait until the next call may begin."""
        while self.must_wait:
            await self._all_answered.wait()

    def _tick(self) -> int:
        self._ticks += 1
        return self._ticks

    def ask(self, operation: Operation, now_ms: int, at_s: float, known_seq: int) -> Asked:
        """A call begins."""
        self._count += 1
        self._has_new_names = self._has_new_names and bool(self._under_way)
        asked = Asked(self._count, operation, now_ms, self._tick(), at_s, known_seq)
        self._under_way.append(asked)
        self._all_answered.clear()
        return asked

    def answered(self, asked: Asked, answer: Answer | None, now_ms: int, seq: int) -> None:
        """It has ended."""
        self._under_way.remove(asked)
        if not self._under_way:
            self._all_answered.set()
        asked.ended = self._tick()
        self._has_new_names |= answer is not None and bool(answer.token)
        moment = Moment(min(asked.begun_ms, now_ms), max(asked.begun_ms, now_ms))
        self._asked.append((asked, moment, answer))
        self._chronicle.seqs[asked.number] = seq

    @staticmethod
    def told(answer: Answer | None) -> str:
        """For people."""
        return told(answer)

    def was_told(self, node: str, node_id: str, address: str, seq: int, at_s: float) -> None:
        """An agent knows its address."""
        self._addresses.append(_Told(node, node_id, address, seq, at_s))

    def read_log(self, log: EventLog, states: Sequence[State], id_of: Callable[[str], str]) -> None:
        """Make it a history: calls that overlapped are a round; and what the log has.

        Args:
            log: all of it.
            states: those that serve at the end.
            id_of: a node's id by its name.
        """
        round_, ends = 0, 0
        for asked, moment, answer in sorted(self._asked, key=lambda item: item[0].number):
            if asked.begun > ends:
                round_ += 1
            ends = max(ends, asked.ended)
            self._chronicle.add(Step(asked.number, round_, asked.operation, moment, answer))
        entries: list[pb.Entry] = []
        folded = State()
        digests: list[tuple[bytes | None, bytes | None]] = [(None, None)]  # nothing to compare yet
        at_seqs: dict[int, str] = {}  # at the ends of records, which is what digests are of
        past = [folded]
        for record in log.read():
            batch = entries_of(record)
            entries += batch
            self._chronicle.records.append(record)
            folded = evolve(folded, (event for entry in batch for event in entry.events))
            past.append(folded)
            replayed_here = digest(folded)
            at_seqs[folded.seq] = replayed_here.hex()
            for recorded in (event.digest_recorded for entry in batch for event in entry.events):
                if recorded.digest:
                    sight = Sighting(f"the digest of event {recorded.seq}", 0, recorded.seq)
                    holds = recorded.digest == at_seqs.get(recorded.seq)
                    self._chronicle.saw(DIGESTS.name, sight, holds=holds)
            here = [state for state in states if state.seq == folded.seq]
            digests += [(digest(state), replayed_here) for state in here]
        live, replayed = next((pair for pair in digests if pair[0] != pair[1]), digests[-1])
        self._chronicle.log = LogView(entries, live, replayed)
        self._look_for_stale_answers(past, id_of)

    def _look_for_stale_answers(self, past: list[State], id_of: Callable[[str], str]) -> None:
        """See whether each query's answer was so at some time while it was asked."""
        seqs = [state.seq for state in past]
        for asked, _, answer in self._asked:
            query = asked.operation
            if not isinstance(query, CheckState | GetAddress) or query.node == SERVER_NODE:
                continue
            if answer is None or not answer.is_ok:
                continue
            last = max(asked.known_seq, asked.answered_seq)  # what is between is mere news
            first, end = bisect_right(seqs, asked.known_seq) - 1, bisect_right(seqs, last)
            said = answer.facts.state, answer.facts.address
            true = [_facts(state, id_of(query.node), said[0]) for state in past[first:end]]
            sight = Sighting(f"step {asked.number}, {asked.worded}", asked.begun_s, last)
            self._chronicle.saw(NEVER_STALE.name, sight, holds=said in true)

    def told_addresses(self, which: str) -> Iterator[tuple[Sighting, bool]]:
        """What agents were told, and whether that is as it should be."""
        handed_over: Counter[str] = Counter()
        bound: set[tuple[str, str]] = set()
        released: set[str] = set()
        log = self._chronicle.log
        for entry in log.entries if log is not None else ():
            for event in entry.events:
                change = event.state_changed
                if change.to_state == pb.CONNECTION_STATE_CONNECTED:
                    handed_over[change.node_id] += 1
                if event.HasField("address_bound"):
                    bound.add((event.address_bound.node_id, event.address_bound.address))
                if event.HasField("address_released"):
                    released.add(event.address_released.node_id)
        known: dict[str, str] = {}
        times: Counter[str] = Counter()
        for node, node_id, address, seq, at_s in map(_fields, self._addresses if log else ()):
            if which == "durable":
                times[node_id] += 1
                is_known = (node_id, address) in bound and times[node_id] <= handed_over[node_id]
                yield Sighting(f"{node} was told {address}", at_s, seq), is_known
            elif node_id in known and node_id not in released:
                what = f"{node} had {known[node_id]} and was told {address}"
                yield Sighting(what, at_s, seq), address == known[node_id]
            known[node_id] = address


def _facts(state: State, node_id: str, asked: int | None) -> tuple[int | None, str | None]:
    """A node's state as clients see it, if that was asked for, and its address."""
    connection = _STATES[link_of(state.links, node_id).state]
    return None if asked is None else connection, state.addresses.address_of(node_id)


_STATES: Final = {
    ConnectionState.IDLE: IDLE,
    ConnectionState.INIT: INIT,
    ConnectionState.CONNECTED: CONNECTED,
}


def _fields(told_: _Told) -> tuple[str, str, str, int, float]:
    return told_.node, told_.node_id, told_.address, told_.seq, told_.at_s
