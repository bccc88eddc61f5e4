"""The JSONL export: one JSON object an event, for other programs; it is not read back.

An object is what `log show --output json` prints, with `record_seq` and `entry_seq`: the first
event of the record and of the entry that the event came in.
"""

import json
from collections.abc import Container, Iterator

from eventlog import Record
from nc.domain.codec.records import events_of
from nc.history.fields import json_fields


def json_lines(record: Record, wanted: Container[int]) -> Iterator[str]:
    """The events of a record whose sequence numbers are wanted, each as a line."""
    entry, entry_seq = None, 0
    for recorded in events_of(record):
        if recorded.entry is not entry:
            entry, entry_seq = recorded.entry, recorded.seq
        if recorded.seq in wanted:
            came_in = {"record_seq": record.first_seq, "entry_seq": entry_seq}
            # in ASCII: what a name in a certificate may hold must not steer a terminal
            yield json.dumps({**json_fields(recorded), **came_in})
