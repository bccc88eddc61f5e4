"""The newest snapshot as the anchor of opening: records are verified from its segment on.

What a snapshot holds was durable before the snapshot was. If the headers of all segments up to its
own have the hash that it says, no segment before it was lost, doubled or swapped; their records are
verified when they are read. From its own segment on all records are verified, and one of them must
have the chain hash of the snapshot: a log that does not reach its snapshot has lost events.
"""

from pathlib import Path

from eventlog.cursor import Cursor
from eventlog.disk import Disk
from eventlog.errors import LogDamaged
from eventlog.format import StoredRecord
from eventlog.segments import read_segment_header
from eventlog.snapshot_format import SnapshotHeader
from eventlog.snapshots import newest_header, segments_hash


class SnapshotAnchor:
    """The newest snapshot of a log, by its file's path and header."""

    def __init__(self, path: Path, header: SnapshotHeader) -> None:
        self._path = path
        self._header = header
        self._is_reached = False

    def cursor(self, disk: Disk, folder: Path, segments: list[int]) -> Cursor | None:
        """A cursor at the start of the snapshot's segment; None: the whole log has to be verified.

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
            return None  # verifying the whole log finds the damage
        self._is_reached = cursor.position == position
        return cursor

    def note(self, passed: list[StoredRecord]) -> None:
        """Note whether the snapshot's position is behind one of these records."""
        chain = self._header.position.chain
        self._is_reached = self._is_reached or any(record.chain == chain for record, _, _ in passed)

    def check(self, end: Cursor) -> None:
        """Check that the log has reached the snapshot's position.

        Raises:
            LogDamaged: it ends before, or its chain is another one.
        """
        if self._is_reached:
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
    """The newest snapshot with a good header; each newer one is a warning.

    Raises:
        LogDamaged, LogUnavailable: the first segment cannot be read.
    """
    log_id = read_segment_header(disk, folder, 1).log_id
    found = newest_header(disk, folder, log_id, warnings)
    return None if found is None else SnapshotAnchor(*found)
