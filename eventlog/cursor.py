"""The cursor: a position in a log that moves forward over the records that it verifies.

All reading uses it: recovery, the writer's own reads, readers in other processes and repairs. They
differ in how they treat the position where it stops.
"""

from bisect import bisect_right
from pathlib import Path
from typing import Final

from eventlog.api import LogPosition, Record
from eventlog.disk import Disk
from eventlog.errors import LogDamaged
from eventlog.format import (
    SEGMENT_HEADER_BYTES,
    Incomplete,
    SegmentHeader,
    StoredRecord,
    decode_record,
)
from eventlog.header_format import BadBytes
from eventlog.segments import (
    CHUNK_BYTES,
    damaged,
    list_segments,
    read_bytes,
    read_segment_header,
    segment_name,
)

NO_LIMIT: Final = 2**64  # larger than every sequence number


def events_after(after: int, passed: list[StoredRecord]) -> list[Record]:
    """Those of the records that hold events above `after`; a marker holds none."""
    return [record for record, _, _ in passed if record.count and record.last_seq > after]


def records_from(after: int, passed: list[StoredRecord]) -> list[Record]:
    """As `events_after`, and the markers behind event `after`."""
    return [record for record, _, _ in passed if record.last_seq > after - (not record.count)]


class Cursor:
    """A position between two records of a log. It keeps no file open.

    Attributes:
        segment: the first sequence number of the segment.
        path: of the segment's file.
        offset: in the segment's file.
        next_seq: of the next event.
        chain: of the record before.
    """

    def __init__(
        self,
        disk: Disk,
        folder: Path,
        segment: int,
        log_id: bytes | None = None,
        header: SegmentHeader | None = None,
    ) -> None:
        """Begin at the first record of a segment, whose header may be known already.

        Raises:
            LogDamaged: its header is not what its name and `log_id` promise.
            LogUnavailable: this process cannot read it.
        """
        self._disk = disk
        self._folder = folder
        self.next_seq = segment
        self.enter(segment, header or read_segment_header(disk, folder, segment, log_id))
        self.log_id = self.header.log_id

    def enter(self, segment: int, header: SegmentHeader) -> None:
        """Move to the first record of a segment that has this header."""
        self.segment = segment
        self.path = self._folder / segment_name(segment)
        self.header = header
        self.epoch = header.epoch
        self.chain = header.chain
        self.offset = SEGMENT_HEADER_BYTES
        self.marked = (
            True  # the record before is known to be durable: a marker, or in another segment
        )
        self.stop: BadBytes | None = None  # why `advance` passed no record; None: there are zeros

    @property
    def position(self) -> LogPosition:
        return LogPosition(self.segment, self.offset, self.next_seq - 1, self.chain)

    def skip_to(self, position: LogPosition) -> None:
        """Move to a position in the same segment that was verified before."""
        _, self.offset, last_seq, self.chain = position
        self.next_seq = last_seq + 1

    def enter_next(self, segments: list[int] | None = None) -> None:
        """Move to the next segment, which has to begin where this one ends.

        Args:
            segments: first sequence numbers of those to choose from; all in the folder by default.

        Raises:
            LogDamaged: this is not the end of the segment, or the next one does not fit.
            LogUnavailable: this process cannot read it.
        """
        if self.stop is not None:
            raise self.damaged(self.stop)
        if segments is None:
            segments = list_segments(self._disk, self._folder)
        following = segments[bisect_right(segments, self.segment) :]
        if following[:1] != [self.next_seq]:
            found = f"no more records, and {segment_name(following[0])}" if following else "zeros"
            raise self.damaged(BadBytes(found, f"a record, or {segment_name(self.next_seq)}"))
        header = read_segment_header(
            self._disk, self._folder, self.next_seq, self.log_id, self.chain
        )
        self.enter(self.next_seq, header)

    def advance(self, through: int = NO_LIMIT) -> list[StoredRecord]:
        """Verify and pass the next records, as many as one read brings.

        Args:
            through: do not pass records that begin after this sequence number.

        Returns:
            The records passed, with markers. If there are none, `through` is reached, or `stop`
            says what is here instead of a record.
        """
        size_bytes = CHUNK_BYTES
        while True:
            data = read_bytes(self._disk, self.path, size_bytes, self.offset, self.next_seq)
            passed, needed_bytes = self._pass(data, through)
            if passed or not needed_bytes:
                return passed
            if len(data) < size_bytes:  # the file ends here
                if data.strip(b"\0"):
                    found = f"the end of the file after {len(data)} bytes of a record"
                    self.stop = BadBytes(found, f"at least {needed_bytes}", short=True)
                return passed
            size_bytes = needed_bytes

    def _pass(self, data: bytes, through: int) -> tuple[list[StoredRecord], int]:
        """Pass the whole records in `data`; returns them, and the size of one that is cut off."""
        segment_id, next_seq, chain = self.header.segment_id, self.next_seq, self.chain
        passed = []
        at = needed_bytes = 0
        self.stop = None
        try:
            while next_seq <= through:
                stored = decode_record(data, at, segment_id, next_seq, chain)
                if stored is None:
                    break
                passed.append(stored)
                at += stored.size_bytes
                next_seq += stored.record.count
                chain = stored.record.chain
        except Incomplete as incomplete:
            needed_bytes = incomplete.needed_bytes
        except BadBytes as bad:
            self.stop = bad
        if passed:
            self.epoch = passed[-1].record.epoch
            self.marked = not passed[-1].record.count
        self.offset += at
        self.next_seq, self.chain = next_seq, chain
        return passed, needed_bytes

    def damaged(self, bad: BadBytes) -> LogDamaged:
        """The error for these bytes at the cursor's position."""
        return damaged(self.path, self.offset, self.next_seq, bad)
