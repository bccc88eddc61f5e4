"""The cursor: a place in a log that moves forward over records it has verified.

It is the only way into the records: recovery, the writer's own reads and readers in other processes
all move one forward, and differ in what they make of the place where it stops.
"""

from bisect import bisect_right
from pathlib import Path
from typing import Final

from eventlog.api import LogPosition, Record
from eventlog.disk import Disk
from eventlog.errors import LogDamaged
from eventlog.format import (
    SEGMENT_HEADER_BYTES,
    BadBytes,
    Incomplete,
    SegmentHeader,
    StoredRecord,
    decode_record,
)
from eventlog.segments import (
    CHUNK_BYTES,
    damaged,
    list_segments,
    read_bytes,
    read_segment_header,
    segment_name,
)

__all__ = ["NO_LIMIT", "Cursor", "events_after", "records_from"]

NO_LIMIT: Final = 2**64  # larger than every sequence number


def events_after(after: int, passed: list[StoredRecord]) -> list[Record]:
    """Of the records passed those that hold events above `after`; a marker holds none."""
    return [record for record, _, _ in passed if record.count and record.last_seq > after]


def records_from(after: int, passed: list[StoredRecord]) -> list[Record]:
    """As `events_after`, and the markers that stand behind `after` or later."""
    return [record for record, _, _ in passed if record.last_seq > after - (not record.count)]


class Cursor:
    """A place between two records of a log.

    It keeps no file open, so it may simply be dropped. Its place: `segment` (the first sequence
    number of the file), `offset` in it, `next_seq`, and `chain`, the hash that comes before.
    """

    def __init__(
        self,
        disk: Disk,
        folder: Path,
        segment: int,
        log_id: bytes | None = None,
        header: SegmentHeader | None = None,
    ) -> None:
        """Stand before the first record of a segment, whose header may be known already.

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
        """Stand before the first record of a segment that has this header."""
        self.segment = segment
        self.header = header
        self.epoch = header.epoch
        self.chain = header.chain
        self.offset = SEGMENT_HEADER_BYTES
        self.marked = True  # what is before is known durable: it is a marker, or another segment
        self.stop: BadBytes | None = None  # why `advance` passed nothing; None: zeros are here

    @property
    def path(self) -> Path:
        """The segment's file."""
        return self._folder / segment_name(self.segment)

    @property
    def position(self) -> LogPosition:
        """Where it stands."""
        return LogPosition(self.segment, self.offset, self.next_seq - 1, self.chain)

    def skip_to(self, position: LogPosition) -> None:
        """Stand further on in the segment, at a position that was verified before."""
        _, self.offset, last_seq, self.chain = position
        self.next_seq = last_seq + 1

    def enter_next(self, segments: list[int] | None = None) -> None:
        """Go on in the next segment, which has to begin where this one ended.

        Args:
            segments: first sequence numbers of those that count; all in the folder by default.

        Raises:
            LogDamaged: something else than the end is here, or the next segment does not fit.
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
        """Verify and pass some of the records that are next, as many as one read brings.

        Args:
            through: do not pass records that begin after this sequence number.

        Returns:
            The records passed, markers among them. None of them: `through` is reached, or `stop`
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
                    self.stop = BadBytes(found, f"at least {needed_bytes}", torn=True)
                return passed
            size_bytes = needed_bytes

    def _pass(self, data: bytes, through: int) -> tuple[list[StoredRecord], int]:
        """Pass the records that are whole in `data`; returns them, and the size of a larger one."""
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
        """The error that names this position."""
        return damaged(self.path, self.offset, self.next_seq, bad)
