"""Is this log a history that can have happened?

The files' own checks (checksums, hash chain, sequence numbers) are the reader's. Here is what they
cannot know: that each record holds as many events as it says, that each event can have followed
those before it (`nc.domain.invariants`), and that each landmark (a
snapshot, or a head that somebody kept) is a place that this log has passed, with the state that the
events lead to.
"""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from google.protobuf.message import DecodeError

from eventlog.api import Record, Snapshot
from nc.domain.codec.digest import digest
from nc.domain.codec.snapshot import decode
from nc.domain.events import Batch, Event
from nc.domain.evolve import Fold
from nc.domain.invariants import InconsistentHistory, InvariantChecker
from nc.domain.state import State

__all__ = ["Base", "KnownHead", "Verified", "landmark_of", "verify"]

# How often somebody is told how far it has come.
_PROGRESS_EVENTS: Final = 20_000

_DELETE_SNAPSHOT = "delete the snapshot: the log is whole without it"


class KnownHead(NamedTuple):
    """What somebody kept about a log: after this event its hash was this."""

    seq: int
    chain: bytes  # 32 bytes
    snapshot: Snapshot | None = None  # what the state was, if that is what was kept


class Base(NamedTuple):
    """What is taken for granted: what there was before the first event."""

    state: State
    chain: bytes  # 32 bytes


_BEGINNING: Final = Base(State(), bytes(32))


class Verified(NamedTuple):
    """What was found to be right."""

    events: int
    last_seq: int  # of the last one
    records: int
    head: bytes  # 32 bytes; zeros: the log is empty
    snapshots: int  # that have the state of a replay


def landmark_of(snapshot: Snapshot) -> KnownHead:
    """The place and the state that a snapshot remembers."""
    return KnownHead(snapshot.position.last_seq, snapshot.position.chain, snapshot)


def verify(
    records: Iterable[Record],
    landmarks: Iterable[KnownHead] = (),
    progress: Callable[[int], None] = lambda _: None,
    base: Base = _BEGINNING,
) -> Verified:
    """Verify a whole log, or a slice of one.

    Args:
        records: all of them, markers among them.
        landmarks: what the log has to have passed.
        progress: is told a sequence number every so often.
        base: what a slice begins with.

    Raises:
        Impossible: it cannot have happened.
        UnknownEvent: a newer version wrote it.
        LogDamaged, LogUnavailable: from the reader.
    """
    verification = _Verification(landmarks, base)
    for record in records:
        if verification.add(record):
            progress(record.last_seq)
    return verification.finish()


class _Verification:
    """How far it has come."""

    def __init__(self, landmarks: Iterable[KnownHead], base: Base) -> None:
        self._landmarks = sorted(landmarks, key=lambda landmark: -landmark.seq)  # next one last
        # Folding costs far more than all the rest, so it ends where nothing is left to compare.
        self._folded_until = max((a.seq for a in self._landmarks if a.snapshot), default=0)
        self._base_seq = self._seq = base.state.seq
        self._fold = Fold(base.state)
        self._succession = InvariantChecker(base.state)
        self._records = 0
        self._snapshots = 0
        self._head = base.chain
        self._heads = {self._head}  # hashes that the log has had after `_seq`

    def add(self, record: Record) -> bool:
        """Verify the next record; whether it is time to say so."""
        self._records += 1
        self._head = record.chain
        if record.count == 0:
            self._heads.add(record.chain)
            return False
        self._settle()
        self._heads = {record.chain}
        self._seq = record.last_seq
        events = _events(record)
        for seq, event in enumerate(events, record.first_seq):
            self._succession.follow(seq, event)
        if self._seq <= self._folded_until:
            self._fold.add(events)
        return record.first_seq // _PROGRESS_EVENTS < (record.last_seq + 1) // _PROGRESS_EVENTS

    def finish(self) -> Verified:
        """There are no more records."""
        self._settle()
        for seq, *_ in self._landmarks[-1:]:
            raise InconsistentHistory(self._seq, "the end of the log", f"it to reach event {seq}")
        events = self._seq - self._base_seq
        return Verified(events, self._seq, self._records, self._head, self._snapshots)

    def _settle(self) -> None:
        """Compare with the landmarks up to here, before the log goes on."""
        while self._landmarks and self._landmarks[-1].seq <= self._seq:
            seq, chain, snapshot = self._landmarks.pop()
            if seq < self._seq:
                raise InconsistentHistory(
                    seq, f"a record that goes on to {self._seq}", "a record's end"
                )
            if chain not in self._heads:
                raise InconsistentHistory(seq, f"head {self._head.hex()}", chain.hex())
            if snapshot is not None:
                _compare(snapshot, self._fold.finish())
                self._snapshots += 1


def _events(record: Record) -> list[Event]:
    """The events of a record, which have to be as many as it says."""
    try:
        entries = Batch.FromString(record.payload).entries
    except DecodeError:
        raise InconsistentHistory(record.first_seq, "a payload that is no Batch", "one") from None
    events = [event for entry in entries for event in entry.events]
    if len(events) != record.count:
        found = f"{len(events)} events in its record"
        raise InconsistentHistory(record.first_seq, found, f"{record.count}")
    if not all(entry.events for entry in entries):
        raise InconsistentHistory(record.first_seq, "an entry without events", "at least one")
    return events


def _compare(snapshot: Snapshot, state: State) -> None:
    """A snapshot has to hold what a replay leads to."""
    try:
        kept = decode(snapshot.payload)
    except ValueError as error:
        what = f"a snapshot with {error}"
        raise InconsistentHistory(state.seq, what, "a state", _DELETE_SNAPSHOT) from error
    if kept != state:
        what = f"a snapshot of state {digest(kept).hex()}"
        raise InconsistentHistory(state.seq, what, digest(state).hex(), _DELETE_SNAPSHOT)
