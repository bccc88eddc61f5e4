"""The JSONL export."""

import json

from hypothesis import given
from hypothesis import strategies as st

from eventlog import Record
from nc.domain.codec.records import events_of
from nc.domain.events import Batch
from nc.history.export.jsonl import json_lines
from nc.history.fields import json_fields
from tests.support.sliced_log import Entries, batches


@given(batches, st.integers(1, 2**40), st.sets(st.integers(0, 5)))
def test_a_line_is_what_show_prints_and_where_it_came_in(
    history: list[Entries], first_seq: int, left_out: set[int]
) -> None:
    """Any events that are wanted, in order, with the first event of their record and entry."""
    seq = first_seq
    for batch in history:
        count = sum(len(entry.events) for entry in batch)
        payload = Batch(entries=batch).SerializeToString()
        record = Record(seq, count, batch[-1].recorded_at_ns, 1, bytes(32), payload)
        wanted = set(range(seq, seq + count)) - {first_seq + each for each in left_out}
        entry_seqs = {
            event_seq: entry_seq
            for entry_seq, size in _entry_places(batch, seq)
            for event_seq in range(entry_seq, entry_seq + size)
        }
        assert [json.loads(line) for line in json_lines(record, wanted)] == [
            {**json_fields(each), "record_seq": seq, "entry_seq": entry_seqs[each.seq]}
            for each in events_of(record)
            if each.seq in wanted
        ]
        seq += count


def _entry_places(batch: Entries, seq: int) -> list[tuple[int, int]]:
    """The first sequence number of each entry, and how many events it has."""
    places = []
    for entry in batch:
        places.append((seq, len(entry.events)))
        seq += len(entry.events)
    return places
