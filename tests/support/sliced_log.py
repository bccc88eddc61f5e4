"""Logs made of any events at all, in any entries and records, and files of slices of them."""

from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import Final

from hypothesis import strategies as st

import eventlog
from eventlog import FileLog, LogReader
from eventlog.format import SegmentHeader
from eventlog.segments import segment_name
from eventlog.slices import Slice, encode_segment, encode_start
from eventlog.snapshots import snapshot_name
from eventlog.testing import NoSyncDisk
from nc.domain.codec.records import Recorded
from nc.domain.codec.snapshot import SNAPSHOT_SCHEMA, encode
from nc.domain.events import Batch, Entry, Event, ReplicaStarted
from nc.domain.evolve import evolve_entries
from nc.domain.state import State
from nc.history.events import history
from tests.support.event_strategies import events as any_event
from tests.support.event_strategies import ids, networks
from tests.support.written_log import leave_snapshot

SMALL_SEGMENT_BYTES: Final = 1500

Entries = list[Entry]

entries: st.SearchStrategy[Entry] = st.builds(
    Entry,
    recorded_at_ns=st.integers(0, 20),
    actor=st.sampled_from(["system", "anonymous", "link:a", "certificate:admin:75"]),
    method=st.sampled_from(["GetToken", "link", "sweep", "nonsense"]),
    request_id=ids,
    events=st.lists(any_event, min_size=1, max_size=3),
)
first_entries: st.SearchStrategy[Entry] = st.builds(
    Entry,
    recorded_at_ns=st.integers(0, 20),
    events=st.builds(ReplicaStarted, network_address=networks).map(
        lambda started: [Event(replica_started=started)]
    ),
)
# Each batch is a record; as in any real log, a replica starts before all else.
batches: st.SearchStrategy[list[Entries]] = st.tuples(
    first_entries, st.lists(st.lists(entries, min_size=1, max_size=3), max_size=8)
).map(lambda both: [[both[0]], *both[1]])


def write_batches(
    folder: Path, records: Iterable[Entries], pauses: Iterable[bool] = (), snapshots: bool = True
) -> LogReader:
    """Write a log of small segments: a marker where there is a pause, and a snapshot with it."""
    log = eventlog.open(
        folder,
        now_ns=count(1).__next__,
        disk=NoSyncDisk(),
        segment_size_bytes=SMALL_SEGMENT_BYTES,
    )
    state = State()
    for batch, is_pause in zip(records, [*pauses, *[False] * 99], strict=False):
        events = [event for entry in batch for event in entry.events]
        log.append(Batch(entries=batch).SerializeToString(), len(events), state.seq)
        state = evolve_entries(state, batch)
        if is_pause:
            _rest(log, state, is_kept=snapshots)
    log.close()
    return LogReader(folder)


def _rest(log: FileLog, state: State, *, is_kept: bool) -> None:
    if is_kept:
        leave_snapshot(log, state)
    else:
        log.write_sync_marker()


def events_in(reader: LogReader) -> list[Recorded]:
    return list(history(reader))


def write_slice(folder: Path, piece: Slice, base: State | None) -> LogReader:
    """The files of a slice, as in an export that was unzipped."""
    folder.mkdir()
    header = SegmentHeader(7, piece.reader.log_id, piece.after + 1, 1, 0, piece.chain)
    with (folder / segment_name(piece.after + 1)).open("wb") as file:
        file.writelines(encode_segment(header, piece.records()))
    if base is not None and base.seq:
        data = encode_start(header, SNAPSHOT_SCHEMA, b"".join(encode(base, ordered=True)))
        (folder / snapshot_name(base.seq)).write_bytes(data)
    return LogReader(folder)
