"""Reading a log that another process may be writing: without a lock, and without any change.

Where the records end, an unfinished append looks like damage at first. But what a later record
calls durable, or what lies before a newer segment, was complete before these were written. So the
reader searches for such proof, and reads a second time before it reports damage.
"""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from eventlog.api import LogPosition, Record, Snapshot
from eventlog.cursor import Cursor, events_after, records_from
from eventlog.disk import OS_DISK, Disk
from eventlog.errors import LogDamaged, LogMissing, LogRewound
from eventlog.followers import check_reached
from eventlog.format import RECORD_HEADER_BYTES, StoredRecord, chain_in
from eventlog.header_format import BadBytes
from eventlog.segments import list_segments, read_bytes, segment_name
from eventlog.snapshots import FileSnapshots
from eventlog.tail_scan import proof_of_damage, scan_rest


class LogReader:
    """Reads the log in a folder. For one thread at a time.

    The append of the newest record may not have returned yet: a power failure may still take it.
    All others are durable.

    Args:
        folder: the log's.
        disk: has the folder.

    Raises:
        LogMissing: there is no log.
        LogDamaged: it is not as it was written.
        LogUnavailable: this process cannot read it.
    """

    def __init__(self, folder: Path | str, disk: Disk = OS_DISK) -> None:
        self.folder = Path(folder)
        self._disk = disk
        segments = self.segments()
        first = Cursor(disk, self.folder, segments[0])
        self.log_id = first.log_id
        self.start: LogPosition = (
            first.position
        )  # before event 1, unless it is a slice of a longer log
        self._end = Cursor(disk, self.folder, segments[-1], self.log_id)

    def segments(self) -> list[int]:
        """The first sequence numbers of the log's segments, in order."""
        segments = list_segments(self._disk, self.folder)
        if not segments:
            raise LogMissing(self.folder)
        return segments

    @property
    def last_seq(self) -> int:
        """The last event's sequence number, 0 when the log is empty."""
        return self._find_end().next_seq - 1

    @property
    def head(self) -> bytes:
        """The last record's chain hash, 32 bytes (zeros when the log is empty)."""
        return self._find_end().chain

    def _find_end(self) -> Cursor:
        while self._advance(self._end, thorough=False) is not None:
            pass
        return self._end

    def snapshots(self, warnings: list[str]) -> Iterator[Snapshot]:
        """The snapshots of any schema, each verified in full, the newest first.

        Args:
            warnings: gets a line for each one that is skipped; a writer may just have removed it.
        """
        store = FileSnapshots(self._disk, self.folder, self.log_id, lambda: 0, warnings)
        return store.newest_first(None)

    def read(self, after: int = 0, *, markers: bool = False) -> Iterator[Record]:
        """The records that hold events above `after`, in order, to the end.

        Reading from 0 verifies the whole log.

        Args:
            after: a sequence number; one before the start of a slice is as good as the start.
            markers: give the markers, too: records without events, whose hashes were heads.

        Raises:
            LogDamaged: while iterating; the records before were as written.
            LogUnavailable: this process cannot read the files.
        """
        cursor = self._cursor(after)
        chosen = records_from if markers else events_after
        while (passed := self._advance(cursor, thorough=True)) is not None:
            yield from chosen(after, passed)

    async def follow(self, after: int = 0, poll_s: float = 0.2) -> AsyncIterator[Record]:
        """As `read`, then check for more every `poll_s` seconds, without an end.

        Raises:
            LogRewound: while iterating, the log ends before event `after`, or has no longer what
                was read last.
            LogDamaged, LogUnavailable: while iterating, as `read`.
        """
        if after > 0:
            check_reached(self.folder, after, self.last_seq)
        cursor = self._cursor(after)
        thorough = True
        last: tuple[int, int, Record] | None = None  # the last record's segment, offset and content
        while True:
            try:
                passed = self._advance(cursor, thorough=thorough)
            except LogDamaged:
                self._check_kept(last)
                raise
            if passed:
                last = cursor.segment, cursor.offset - passed[-1].size_bytes, passed[-1].record
            else:
                self._check_kept(last)
            for record in events_after(after, passed or []):
                yield record
            # At every poll a search of the rest of the segment would be too much work: a record
            # that turns to zeros is noticed at the latest when there is a next segment.
            thorough = thorough and passed is not None
            await asyncio.sleep(0 if passed is not None else poll_s)

    def _check_kept(self, last: tuple[int, int, Record] | None) -> None:
        """Check that the record that was read last is still there.

        Raises:
            LogRewound: it is not.
        """
        if last is None:
            return
        segment, offset, record = last
        header = b""
        if segment in self.segments():
            path = self.folder / segment_name(segment)
            header = read_bytes(self._disk, path, RECORD_HEADER_BYTES, offset, record.first_seq)
        if chain_in(header) != record.chain:
            raise LogRewound(self.folder, f"event {record.last_seq} is not in it as it was read")

    def _cursor(self, after: int) -> Cursor:
        segments = self.segments()
        index = bisect_right(segments, max(after, self.start.last_seq) + 1) - 1
        return Cursor(self._disk, self.folder, segments[index], self.log_id)

    def _advance(self, cursor: Cursor, *, thorough: bool) -> list[StoredRecord] | None:
        """Some of the next records, maybe none; None at the end of the log for now."""
        passed = cursor.advance()
        if not passed:
            newer = self.segments()[-1] > cursor.segment
            damage = None if newer else self._damage(cursor, thorough=thorough)
            if not newer and damage is None:
                return None
            passed = cursor.advance()  # the proof may have been written since the last read
            if not passed and damage is not None:
                raise cursor.damaged(damage)
            if not passed:
                cursor.enter_next()
        return passed

    def _damage(self, cursor: Cursor, *, thorough: bool) -> BadBytes | None:
        if cursor.stop is None and not thorough:
            return None
        return proof_of_damage(cursor, scan_rest(self._disk, cursor))

    def close(self) -> None:
        """Do nothing: no file is kept open."""
