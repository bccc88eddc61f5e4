"""What is in a log's folder, by what each file says it is rather than by what it is called.

Nothing is refused: a file that is damaged, doubled, renamed or another log's is listed as that.
"""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from eventlog.api import LogPosition
from eventlog.disk import Disk
from eventlog.errors import LogDamaged, LogMissing, LogUnavailable
from eventlog.format import (
    FORMAT_VERSION,
    SEGMENT_HEADER_BYTES,
    BadBytes,
    SegmentHeader,
    decode_segment_header,
)
from eventlog.segments import (
    SEGMENT_SUFFIX,
    damaged,
    number_of,
    opened,
    read_bytes,
    segment_name,
)
from eventlog.snapshot_format import SNAPSHOT_HEADER_BYTES, SnapshotHeader, decode_header
from eventlog.snapshots import FileSnapshots, read_header, snapshot_names

__all__ = ["Inventory", "take_inventory"]

_LAST_VERSION = 1000  # what is larger is damage: versions are counted one by one
_VERSION, _LOG_ID = slice(8, 12), slice(16, 32)  # of a segment's header


class Inventory(NamedTuple):
    """The files of a log."""

    log_id: bytes  # what most segments say; empty: none says anything
    segments: dict[int, SegmentHeader | None]  # by name, in order; None: damaged, or another log's
    strays: dict[
        str, int
    ]  # segments that are in their place under another name; first sequence no.
    renamed: dict[str, str]  # segments whose own place is empty: its name
    snapshots: dict[str, SnapshotHeader | None]  # the newest first; None: does not check out
    good: frozenset[str]  # snapshots that check out byte by byte, and can be used
    newer: LogDamaged | None  # a segment of a later version

    @property
    def places(self) -> dict[str, LogPosition]:
        """Where the snapshots stand whose headers check out, the newest first."""
        return {name: header.place for name, header in self.snapshots.items() if header}


def take_inventory(disk: Disk, folder: Path, schema: int) -> Inventory:
    """Look at every file's header, and at all of the snapshots with that schema.

    Raises:
        LogMissing: there is nothing.
        LogUnavailable: this process cannot read it.
    """
    try:
        names = sorted(disk.list(folder))
    except FileNotFoundError:
        raise LogMissing(folder) from None
    except OSError as error:
        raise LogUnavailable(folder, f"cannot be read: {error.strerror}") from error
    newer: list[LogDamaged] = []
    said = {
        name: _header(disk, folder / name, newer) for name in names if name.endswith(SEGMENT_SUFFIX)
    }
    if not said and not snapshot_names(disk, folder):
        raise LogMissing(folder)
    log_id = _log_id(disk, folder, said)
    ours = {name: each for name, each in said.items() if each and each.log_id == log_id}
    renamed: dict[str, str] = {}
    strays: dict[str, int] = {}
    for name, header in ours.items():
        own_name = segment_name(header.first_seq)
        if name == own_name:
            continue
        if ours.get(own_name) and ours[own_name].first_seq == header.first_seq:
            strays[name] = header.first_seq
        else:
            renamed[name] = own_name
    strays |= {n: 0 for n in said if number_of(n) is None and n not in ours}
    segments = {
        number: ours.get(name)
        for name in said
        if (number := number_of(name)) is not None and name not in strays
    }
    snapshots = _snapshots(disk, folder, log_id)
    store = FileSnapshots(disk, folder, log_id, lambda: 0, [])
    usable = {snapshot.place for snapshot in store.newest_first(schema)}
    good = frozenset(n for n, each in snapshots.items() if each and each.place in usable)
    return Inventory(
        log_id, segments, strays, renamed, snapshots, good, newer[0] if newer else None
    )


def _header(disk: Disk, path: Path, newer: list[LogDamaged]) -> SegmentHeader | None:
    """What a file says it is; a later version is noted."""
    try:
        data = read_bytes(disk, path, SEGMENT_HEADER_BYTES, 0, number_of(path.name) or 0)
        return decode_segment_header(data)
    except LogDamaged:
        return None
    except BadBytes as bad:
        if bad.newer and not _is_this_version(data):
            newer.append(damaged(path, 0, number_of(path.name) or 0, bad))
        return None


def _is_this_version(data: bytes) -> bool:
    """Whether a segment header is none, or of this version but for the number that says so."""
    version = int.from_bytes(data[_VERSION], "little")
    as_it_was = data[: _VERSION.start] + FORMAT_VERSION.to_bytes(4, "little") + data[12:]
    try:
        decode_segment_header(as_it_was)
    except BadBytes:
        return not FORMAT_VERSION < version <= _LAST_VERSION
    return True


def _log_id(disk: Disk, folder: Path, said: dict[str, SegmentHeader | None]) -> bytes:
    """Which log it is: a segment of another one may have been put among its own."""
    votes = Counter(header.log_id for header in said.values() if header)
    for name in snapshot_names(disk, folder):
        try:
            with opened(disk, folder / name) as fd:
                votes[decode_header(disk.pread(fd, SNAPSHOT_HEADER_BYTES, 0)).log_id] += 1
        except (BadBytes, OSError):
            continue
    if votes:
        return max(votes, key=votes.__getitem__)
    try:  # nothing is certain, and the first segment's bytes are all there is
        return read_bytes(disk, folder / segment_name(1), SEGMENT_HEADER_BYTES, 0, 1)[_LOG_ID]
    except LogDamaged:
        return b""


def _snapshots(disk: Disk, folder: Path, log_id: bytes) -> dict[str, SnapshotHeader | None]:
    found: dict[str, SnapshotHeader | None] = {}
    for name in snapshot_names(disk, folder):
        try:
            found[name] = read_header(disk, folder / name, log_id)
        except BadBytes:
            found[name] = None
    return found
