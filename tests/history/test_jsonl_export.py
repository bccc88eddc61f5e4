"""Events as lines of JSON, and back."""

from hypothesis import given, settings
from hypothesis import strategies as st

from eventlog import Record
from nc.domain.events import Batch
from nc.history.export.jsonl import json_lines, records_in
from tests.support.sliced_log import Entries, batches


@settings(max_examples=60)
@given(batches, st.integers(1, 2**40))
def test_nothing_is_lost_in_lines(history: list[Entries], first_seq: int) -> None:
    """Any events, in any entries and records, from any number on, are read back as they were."""
    written, seq = [], first_seq
    for batch in history:
        count = sum(len(entry.events) for entry in batch)
        payload = Batch(entries=batch).SerializeToString()
        written.append(Record(seq, count, batch[-1].recorded_at_ns, 1, bytes(32), payload))
        seq += count
    lines = [line for record in written for line in json_lines(record, range(2**63))]
    assert len(lines) == seq - first_seq
    found = list(records_in(lines, "lines"))
    assert [each._replace(payload=b"") for each in found] == [
        each._replace(payload=b"") for each in written
    ]
    assert [Batch.FromString(each.payload) for each in found] == [
        Batch.FromString(each.payload) for each in written
    ]
