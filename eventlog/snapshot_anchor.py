"""Where opening begins to verify: in the segment of the newest snapshot, if the log is still its.

What a snapshot holds was durable before the snapshot was. If the headers of all segments up to it
are as they were, nothing was lost, doubled or swapped before it, and those segments' records are
verified when they are read. From its own segment on everything is verified at once, and there the
chain hash that the snapshot remembers has to come up: a log that does not reach its snapshot has
lost something.
"""

from pathlib import Path

from eventlog.cursor import Cursor
from eventlog.disk import Disk
from eventlog.errors import LogDamaged
from eventlog.format import StoredRecord
from eventlog.segments import read_segment_header
from eventlog.snapshot_format import SnapshotHeader
from eventlog.snapshots import newest_header, segments_hash

__all__ = ["SnapshotAnchor", "find_anchor"]


class SnapshotAnchor:
    """The newest snapshot of a log, as far as opening the log needs it.

    Args:
        path: the snapshot's file.
        header: what it says.
    """

    def __init__(self, path: Path, header: SnapshotHeader) -> None:
        self._path = path
        self._header = header
        self._is_seen = False

    def cursor(self, disk: Disk, folder: Path, segments: list[int]) -> Cursor | None:
        """A cursor at the start of the snapshot's segment; None: all has to be verified.

        Raises:
            LogUnavailable: this process cannot read the log.
        """
        position = self._header.position
        before = [first_seq for first_seq in segments if first_seq <= position.segment]
        try:
            if segments_hash(disk, folder, before) != self._header.segments:
                return None
            cursor = Cursor(disk, folder, position.segment, self._header.log_id)
        except LogDamaged:
            return None  # verifying everything will name what is wrong
        self._is_seen = cursor.position == position
        return cursor

    def look(self, passed: list[StoredRecord]) -> None:
        """See whether the snapshot's place is behind one of these records."""
        chain = self._header.position.chain
        self._is_seen = self._is_seen or any(record.chain == chain for record, _, _ in passed)

    def check(self, end: Cursor) -> None:
        """See that the log, which is in order and ends there, holds what the snapshot holds.

        Raises:
            LogDamaged: it does not.
        """
        if self._is_seen:
            return
        last_seq = self._header.position.last_seq
        found = f"the log ends with event {end.next_seq - 1}"
        if end.next_seq > last_seq:
            found = "another past"
        expected = f"event {last_seq} as {self._path.name} says it was durable"
        position, advice = (
            (end.path, end.offset, end.next_seq),
            "put back the segments that are missing",
        )
        raise LogDamaged(*position, found, expected, advice=advice, repairable=True)


def find_anchor(disk: Disk, folder: Path, warnings: list[str]) -> SnapshotAnchor | None:
    """The newest snapshot whose header checks out; each that does not is a warning.

    Raises:
        LogDamaged, LogUnavailable: the first segment cannot be read.
    """
    log_id = read_segment_header(disk, folder, 1).log_id
    found = newest_header(disk, folder, log_id, warnings)
    return None if found is None else SnapshotAnchor(*found)
