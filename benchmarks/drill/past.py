"""The log read back: what was so after each record, for judging answers."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from eventlog import LogReader, Record
from nc.domain.codec.records import entries_of, events_of
from nc.domain.evolve import evolve_entries
from nc.domain.fsm import ConnectionState
from nc.domain.links import link_of
from nc.domain.state import State
from nc.history.events import field_of
from nc.pb.events_pb2 import Entry
from nc.testing.contract.values import CONNECTED, IDLE, INIT

_STATES = {
    ConnectionState.IDLE: IDLE,
    ConnectionState.INIT: INIT,
    ConnectionState.CONNECTED: CONNECTED,
}


class NodeFacts(NamedTuple):
    """What answers say of a registered node."""

    state: int
    address: str
    label: str


class TokenFacts(NamedTuple):
    """What decides whether a bootstrap token lets a node in."""

    is_live: bool


Facts = NodeFacts | TokenFacts | None  # None: it is not known


class Left(NamedTuple):
    """An event that a call has left."""

    seq: int  # of its record's last event
    kind: str
    subject: str  # the node's or the token's id


class Past:
    """See the module.

    Attributes:
        entries: all of them.
        left: by request id, the events of a call.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.left: dict[str, list[Left]] = defaultdict(list)
        self._changes: dict[str, tuple[list[int], list[Facts]]] = {}
        self._seqs: list[int] = []
        self._recorded_ns: list[int] = []  # before which nobody can have known of the record
        self._state = State()

    @property
    def last_seq(self) -> int:
        return self._state.seq

    def add(self, record: Record) -> None:
        entries = list(entries_of(record))
        self.entries += entries
        self._state = evolve_entries(self._state, entries)
        latest_ns = max((entry.recorded_at_ns for entry in entries), default=0)
        before_ns = self._recorded_ns[-1] if self._recorded_ns else 0
        self._seqs.append(self._state.seq)
        self._recorded_ns.append(max(before_ns, latest_ns))
        subjects: set[str] = set()
        for recorded in events_of(record):
            names = (field_of(recorded.event, "node_id"), field_of(recorded.event, "token_id"))
            kind = recorded.event.WhichOneof("kind") or ""
            subjects.update(names)
            subject = names[0] or names[1]
            self.left[recorded.entry.request_id].append(Left(self._state.seq, kind, subject))
        for subject in subjects - {""}:
            self._note(subject, _facts(self._state, subject))

    def _note(self, subject: str, facts: Facts) -> None:
        seqs, values = self._changes.setdefault(subject, ([0], [None]))
        if values[-1] != facts:
            seqs.append(self._state.seq)
            values.append(facts)

    def known_by(self, at_ns: int) -> int:
        """The last event that anybody can have known of at a time."""
        place = bisect_right(self._recorded_ns, at_ns)
        return self._seqs[place - 1] if place else 0

    def at(self, subject: str, seq: int) -> Facts:
        seqs, values = self._changes.get(subject, ([0], [None]))
        return values[bisect_right(seqs, seq) - 1]

    def first(
        self, subject: str, floor: int, last: int, holds: Callable[[Facts], bool]
    ) -> int | None:
        """The first event, from `floor` to `last`, after which something held of a subject."""
        seqs, values = self._changes.get(subject, ([0], [None]))
        begin = bisect_right(seqs, floor) - 1
        for place in range(begin, bisect_right(seqs, max(floor, last))):
            if holds(values[place]):
                return max(floor, seqs[place])
        return None

    def story(self, subject: str, first: int, last: int) -> Iterator[str]:
        """What was so of a subject, from one event to another, in lines."""
        seqs, values = self._changes.get(subject, ([0], [None]))
        begin = max(0, bisect_right(seqs, first) - 1)
        for place in range(begin, bisect_right(seqs, last)):
            recorded_ns = self._recorded_ns[bisect_left(self._seqs, seqs[place])]
            yield f"after event {seqs[place]}, recorded at {recorded_ns / 1e9:.3f}: {values[place]}"


def _facts(state: State, subject: str) -> Facts:
    node = state.nodes.get(subject)
    if node is not None:
        label = "".join(value for _, value in node.profile.labels)
        address = state.addresses.address_of(subject) or ""
        return NodeFacts(_STATES[link_of(state.links, subject).state], address, label)
    token = state.tokens.get(subject)
    return None if token is None else TokenFacts(token.revoked_at_ms is None)


def read_past(records: Iterable[Record]) -> Past:
    past = Past()
    for record in records:
        past.add(record)
    return past


def read_folder(folder: Path) -> Past:
    """The past that is in a log's folder."""
    return read_past(LogReader(folder).read())
