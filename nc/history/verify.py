"""Verifies that a log is a history that can have happened.

The reader checks the files (checksums, hash chain, sequence numbers). Checked here: each record
holds as many events as it says, each event may follow those before it (`nc.domain.invariants`), and
each known head (of a snapshot, or kept by an operator) is a place that this log has passed, with
the state that its events lead to.
"""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from eventlog.api import Record, Snapshot
from nc.domain.codec.digest import digest
from nc.domain.codec.records import entries_of
from nc.domain.codec.snapshot import decode
from nc.domain.evolve import Fold, recorded_ms
from nc.domain.invariants import InconsistentHistory, InvariantChecker
from nc.domain.state import State

# How often `progress` is called.
_PROGRESS_EVENTS: Final = 20_000

_DELETE_SNAPSHOT = "delete the snapshot: the log is whole without it"


class KnownHead(NamedTuple):
    """A hash of the log after an event, known from elsewhere."""

    seq: int
    chain: bytes  # 32 bytes
    snapshot: Snapshot | None = None  # the state then, if it is known


class Base(NamedTuple):
    """The position and state before the first event; not verified."""

    state: State
    chain: bytes  # 32 bytes


_BEGINNING: Final = Base(State(), bytes(32))


class Verified(NamedTuple):
    events: int
    last_seq: int  # of the last one
    records: int
    head: bytes  # 32 bytes; zeros: the log is empty
    snapshots: int  # that have the state of a replay


def known_head_of(snapshot: Snapshot) -> KnownHead:
    return KnownHead(snapshot.position.last_seq, snapshot.position.chain, snapshot)


def verify(
    records: Iterable[Record],
    heads: Iterable[KnownHead] = (),
    progress: Callable[[int], None] = lambda _: None,
    base: Base = _BEGINNING,
) -> Verified:
    """Verify a whole log, or a slice of one.

    Args:
        records: all of them, markers among them.
        heads: what the log has to have passed.
        progress: called with a sequence number now and then.
        base: what a slice begins with.

    Raises:
        InconsistentHistory: it cannot have happened.
        UnknownEvent: a newer version wrote it.
        LogDamaged, LogUnavailable: from the reader.
    """
    verification = _Verification(heads, base)
    for record in records:
        if verification.add(record):
            progress(record.last_seq)
    return verification.finish()


class _Verification:
    def __init__(self, heads: Iterable[KnownHead], base: Base) -> None:
        self._known = sorted(heads, key=lambda head: -head.seq)  # next one last
        # Folding costs far more than all the rest, so it ends where nothing is left to compare.
        self._folded_until = max((a.seq for a in self._known if a.snapshot), default=0)
        self._base_seq = self._seq = base.state.seq
        self._fold = Fold(base.state)
        self._invariants = InvariantChecker(base.state)
        self._records = 0
        self._snapshots = 0
        self._head = base.chain
        self._heads = {self._head}  # hashes that the log has had after `_seq`

    def add(self, record: Record) -> bool:
        """Verify the next record; whether it is time to report progress."""
        self._records += 1
        self._head = record.chain
        if record.count == 0:
            self._heads.add(record.chain)
            return False
        self._settle()
        self._heads = {record.chain}
        self._seq = record.last_seq
        is_folded = self._seq <= self._folded_until
        for entry in entries_of(record):
            for event in entry.events:
                self._invariants.follow(event)
            if is_folded:
                self._fold.add(entry.events, recorded_ms(entry))
        return record.first_seq // _PROGRESS_EVENTS < (record.last_seq + 1) // _PROGRESS_EVENTS

    def finish(self) -> Verified:
        self._settle()
        for seq, *_ in self._known[-1:]:
            raise InconsistentHistory(self._seq, "the end of the log", f"it to reach event {seq}")
        events = self._seq - self._base_seq
        return Verified(events, self._seq, self._records, self._head, self._snapshots)

    def _settle(self) -> None:
        """Compare with the known heads up to here, before the next record."""
        while self._known and self._known[-1].seq <= self._seq:
            seq, chain, snapshot = self._known.pop()
            if seq < self._seq:
                raise InconsistentHistory(
                    seq, f"a record that ends with event {self._seq}", "a record's end"
                )
            if chain not in self._heads:
                raise InconsistentHistory(seq, f"head {self._head.hex()}", chain.hex())
            if snapshot is not None:
                _compare(snapshot, self._fold.finish())
                self._snapshots += 1


def _compare(snapshot: Snapshot, state: State) -> None:
    """A snapshot has to hold what a replay leads to."""
    try:
        kept = decode(snapshot.payload, snapshot.position.last_seq)
    except ValueError as error:
        what = f"a snapshot with {error}"
        raise InconsistentHistory(state.seq, what, "a state", _DELETE_SNAPSHOT) from error
    if kept != state:
        what = f"a snapshot of state {digest(kept).hex()}"
        raise InconsistentHistory(state.seq, what, digest(state).hex(), _DELETE_SNAPSHOT)
