"""Records and their bytes."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog.api import Record
from nc.domain.codec.records import Recorded, entries_in, entries_of, events_in, events_of
from nc.domain.events import Batch, Entry, Event, ReplicaStopped
from nc.domain.invariants import InconsistentHistory
from tests.support.event_strategies import events as any_event

entries = st.lists(
    st.builds(
        lambda at_ns, events: Entry(recorded_at_ns=at_ns, events=events),
        st.integers(0, 2**63 - 1),
        st.lists(any_event, min_size=1, max_size=3),
    ),
    max_size=4,
)


def record(payload: bytes, count: int, first_seq: int = 5) -> Record:
    return Record(first_seq, count, 0, 1, bytes(32), payload)


@given(st.lists(entries, max_size=3))
def test_records_are_read_as_they_were_written(batches: list[list[Entry]]) -> None:
    """All four ways to read give the same events in the same order, numbered without gaps."""
    records, seq = [], 1
    for batch in batches:
        count = sum(len(entry.events) for entry in batch)
        records.append(record(Batch(entries=batch).SerializeToString(), count, seq))
        seq += count
    written = [entry for batch in batches for entry in batch]
    pairs = [(entry, event) for entry in written for event in entry.events]
    assert list(entries_in(records)) == written
    assert [list(entries_of(each)) for each in records] == batches
    assert list(events_in(records)) == [event for _, event in pairs]
    assert [recorded for each in records for recorded in events_of(each)] == [
        Recorded(seq, *pair) for seq, pair in enumerate(pairs, 1)
    ]


STOPPED = Entry(events=[Event(replica_stopped=ReplicaStopped())])


@pytest.mark.parametrize(
    ("payload", "count"),
    [
        (b"\xff", 1),
        (b"\x0a\x05", 1),
        (b"", 1),
        (Batch(entries=[STOPPED]).SerializeToString(), 2),
        (Batch(entries=[STOPPED, Entry()]).SerializeToString(), 1),
    ],
    ids=["no message", "cut", "no events", "too few events", "an entry without events"],
)
def test_bytes_that_no_version_wrote_are_refused(payload: bytes, count: int) -> None:
    """Every way to read raises InconsistentHistory, which names the record's first event."""
    bad = record(payload, count)
    reads: list[Callable[[], object]] = [
        lambda: entries_of(bad),
        lambda: list(entries_in([bad])),
        lambda: list(events_in([bad])),
        lambda: list(events_of(bad)),
    ]
    for read in reads:
        with pytest.raises(InconsistentHistory, match=r"^event 5: ") as refused:
            read()
        assert refused.value.seq == 5
