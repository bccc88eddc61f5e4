"""The files in a log's folder, by their headers rather than by their names.

Damaged, doubled and renamed files, and those of another log, are listed as such, and not refused.
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
    SegmentHeader,
    decode_segment_header,
)
from eventlog.header_format import BadBytes
from eventlog.segments import SEGMENT_SUFFIX, damaged, number_of, opened, read_bytes, segment_name
from eventlog.snapshot_format import SNAPSHOT_HEADER_BYTES, SnapshotHeader, decode_snapshot_header
from eventlog.snapshots import FileSnapshots, read_header, snapshot_names

_LAST_VERSION = 1000  # a larger one is damage: versions are counted one by one
_VERSION, _LOG_ID = slice(8, 12), slice(16, 32)  # of a segment's header

Headers = dict[str, SegmentHeader | None]  # by file name; None: damaged


class Inventory(NamedTuple):
    log_id: bytes  # the one that most files have; empty: none is known
    segments: dict[int, SegmentHeader | None]  # by name, in order; None: damaged, or another log's
    surplus: dict[str, int]  # copies of segments that have their own name, too: first seq; or 0
    renamed: dict[str, str]  # segments under another name while their own is free: that name
    snapshots: dict[str, SnapshotHeader | None]  # the newest first; None: damaged
    usable: frozenset[str]  # snapshots of the wanted schema without a wrong byte
    newer: LogDamaged | None  # a segment of a later version of the format

    @property
    def positions(self) -> dict[str, LogPosition]:
        """The positions of the snapshots with a good header, the newest first."""
        return {name: header.position for name, header in self.snapshots.items() if header}


def take_inventory(disk: Disk, folder: Path, schema: int) -> Inventory:
    """Read every file's header, and all of the snapshots with that schema.

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
    segment_names = [name for name in names if name.endswith(SEGMENT_SUFFIX)]
    headers = {name: _header(disk, folder / name, newer) for name in segment_names}
    if not headers and not snapshot_names(disk, folder):
        raise LogMissing(folder)
    log_id = _log_id(disk, folder, headers)
    ours = {name: each for name, each in headers.items() if each and each.log_id == log_id}
    surplus, renamed = _under_other_names(ours)
    surplus |= {name: 0 for name in headers if number_of(name) is None and name not in ours}
    segments = {
        number: ours.get(name)
        for name in headers
        if (number := number_of(name)) is not None and name not in surplus
    }
    snapshots = _snapshots(disk, folder, log_id)
    store = FileSnapshots(disk, folder, log_id, lambda: 0, [])
    good = {snapshot.position for snapshot in store.newest_first(schema)}
    usable = frozenset(n for n, each in snapshots.items() if each and each.position in good)
    return Inventory(
        log_id, segments, surplus, renamed, snapshots, usable, newer[0] if newer else None
    )


def _under_other_names(ours: dict[str, SegmentHeader]) -> tuple[dict[str, int], dict[str, str]]:
    """The log's segments that do not have their own name: copies, and renamed ones."""
    surplus: dict[str, int] = {}
    renamed: dict[str, str] = {}
    for name, header in ours.items():
        own_name = segment_name(header.first_seq)
        if name == own_name:
            continue
        if ours.get(own_name) and ours[own_name].first_seq == header.first_seq:
            surplus[name] = header.first_seq
        else:
            renamed[name] = own_name
    return surplus, renamed


def _header(disk: Disk, path: Path, newer: list[LogDamaged]) -> SegmentHeader | None:
    """A segment's header; one of a later version goes to `newer`."""
    seq = number_of(path.name) or 0
    try:
        data = read_bytes(disk, path, SEGMENT_HEADER_BYTES, 0, seq)
        return decode_segment_header(data)
    except LogDamaged:
        return None
    except BadBytes as bad:
        if bad.newer and not _is_damaged_version(data):
            newer.append(damaged(path, 0, seq, bad))
        return None


def _is_damaged_version(data: bytes) -> bool:
    """Whether a header's version is damaged: the rest is of this version, or no version is that."""
    version = int.from_bytes(data[_VERSION], "little")
    restored = data[: _VERSION.start] + FORMAT_VERSION.to_bytes(4, "little") + data[12:]
    try:
        decode_segment_header(restored)
    except BadBytes:
        return not FORMAT_VERSION < version <= _LAST_VERSION
    return True


def _log_id(disk: Disk, folder: Path, headers: Headers) -> bytes:
    """The id that most files have: a segment of another log may be among them."""
    votes = Counter(header.log_id for header in headers.values() if header)
    for name in snapshot_names(disk, folder):
        try:
            with opened(disk, folder / name) as fd:
                votes[decode_snapshot_header(disk.pread(fd, SNAPSHOT_HEADER_BYTES, 0)).log_id] += 1
        except (BadBytes, OSError):
            continue
    if votes:
        return max(votes, key=votes.__getitem__)
    try:  # all headers are damaged: the first segment's may still have the id
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
