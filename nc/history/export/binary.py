"""The binary export: a log's folder in a zip file, so that one file can be kept, sent and read.

    <20 digits>.seg         its events, in the log's own format
    <20 digits>.snapshot    what there was before the first of them, unless that is event 1

Unzipped, it is a folder that is read like any log's. `unpack` does not trust it: it takes only
those two names, and no more bytes than such a file can have.
"""

import errno
import re
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from eventlog.api import Record
from eventlog.format import SegmentHeader
from eventlog.segments import segment_name
from eventlog.slices import encode_segment, encode_start
from eventlog.snapshots import snapshot_name
from nc.domain.codec.snapshot import SNAPSHOT_SCHEMA, encode
from nc.domain.state import State
from nc.errors import DAMAGED, OperatorError

_NAME: Final = re.compile(r"[0-9]{20}\.(seg|snapshot)")
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_MAGIC: Final = b"PK\x03\x04"
_ENCRYPTED: Final = 0x1  # in a member's flags
_BAD_ZIP: Final = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError),
    *(ValueError, OverflowError, RuntimeError, OSError),
)
_MADE_AT: Final = (1980, 1, 1, 0, 0, 0)  # the first moment that zip has: equal slices, equal bytes

# A hundred million events take less. It has to fit on the disk, beside everything else there.
MAX_UNPACKED_BYTES: Final = 64 * 1024**3

# Records hold hashes, which do not shrink, so a log's files shrink to a third or so. More than this
# is made to fill a disk; what is small may shrink as it likes.
MAX_RATIO: Final = 100
_SMALL_BYTES: Final = 1024**2

_CHUNK_BYTES: Final = 1024**2


class ExportRefused(OperatorError):
    """The file is not an export of this program."""


class ExportDamaged(OperatorError):
    """An exported file was changed or cut."""

    exit_code = DAMAGED
    kind = "damaged"


def write_archive(
    file: BinaryIO, header: SegmentHeader, records: Iterable[Record], base: State
) -> None:
    """Write a slice of a log as a zip file.

    Args:
        file: opened for writing, at its start.
        header: of the slice's one segment; its id is new.
        records: what is in the slice.
        base: the state before the first record.

    Raises:
        OSError: it cannot be written.
        LogDamaged, LogUnavailable: from the records.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        if base.seq:
            payload = b"".join(encode(base, ordered=True))
            with archive.open(_member(snapshot_name(base.seq)), "w", force_zip64=True) as part:
                part.write(encode_start(header, SNAPSHOT_SCHEMA, payload))
        name = segment_name(header.first_seq)
        with archive.open(_member(name), "w", force_zip64=True) as part:
            gathered = bytearray()
            for data in encode_segment(header, records):
                gathered += data
                if len(gathered) >= _CHUNK_BYTES:
                    part.write(gathered)
                    gathered.clear()
            part.write(gathered)


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, _MADE_AT)
    member.compress_type = zipfile.ZIP_DEFLATED
    member.external_attr = 0o600 << 16
    return member


def unpack(path: Path, folder: Path, progress: Callable[[int, int], None]) -> None:
    """Unpack a zip file that should be an export into an empty folder.

    Args:
        path: the file.
        folder: where the log's files go.
        progress: called with the bytes unpacked so far, and their total.

    Raises:
        ExportRefused: it is not an export, or would fill the disk.
        ExportDamaged: its bytes were changed.
        OSError: the disk cannot read or write it.
    """
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise ExportRefused(
                f"{path} is not an export of a log that can be read back: make one with "
                "`log export --format binary`"
            )
    with _damage_reported(path), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        _check(path, members, shutil.disk_usage(folder).free)
        total_bytes = sum(member.file_size for member in members)
        done_bytes = 0
        for member in members:
            with archive.open(member) as packed, (folder / member.filename).open("wb") as file:
                while data := packed.read(_CHUNK_BYTES):
                    file.write(data)
                    done_bytes += len(data)
                    progress(done_bytes, total_bytes)


@contextmanager
def _damage_reported(path: Path) -> Iterator[None]:
    """Turn what zipfile raises into ExportDamaged; it trusts the numbers that it reads."""
    try:
        yield
    except _BAD_ZIP as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # a seek to before the start
            raise
        raise ExportDamaged(
            f"{path} is no longer a complete zip file ({error}); copy or export it again"
        ) from error


def _check(path: Path, members: list[zipfile.ZipInfo], free_bytes: int) -> None:
    """Refuse a file that is not an export, before a byte of it is unpacked."""
    names = [member.filename for member in members]
    kinds = sorted(name.rpartition(".")[2] for name in names)
    for name in names:
        if not _NAME.fullmatch(name):
            raise ExportRefused(f"{path} is not an export of a log: it holds {name[:80]!r}")
    if kinds not in (["seg"], ["seg", "snapshot"]):
        raise ExportRefused(
            f"{path} is not an export of a log: it holds {len(names)} files, expected one segment, "
            "and one snapshot if that does not begin with event 1"
        )
    for member in members:
        if member.compress_type not in _METHODS or member.flag_bits & _ENCRYPTED:
            raise ExportRefused(f"{path}: {member.filename} is encrypted, or not deflated")
    size_bytes = sum(member.file_size for member in members)
    packed_bytes = sum(member.compress_size for member in members)
    limit_bytes = min(MAX_UNPACKED_BYTES, max(_SMALL_BYTES, MAX_RATIO * packed_bytes))
    if size_bytes > limit_bytes:
        raise ExportRefused(
            f"{path} would unpack to {size_bytes:,} bytes, at most {limit_bytes:,} expected of an "
            f"export of its size"
        )
    if size_bytes > free_bytes:
        raise ExportRefused(
            f"{path} needs {size_bytes:,} bytes where temporary files go, and there is room for "
            f"{free_bytes:,}: name another folder with TMPDIR"
        )
