"""A small log, and everything that can be done to its files."""

import shutil
from collections.abc import Callable
from pathlib import Path

import eventlog
from eventlog import Disk, FileLog
from eventlog.format import (
    SEGMENT_HEADER_BYTES,
    RecordHeader,
    RecordType,
    decode_segment_header,
    encode_record,
    encode_segment_header,
)
from eventlog.testing import NoSyncDisk, abandon

RECORD = 192  # bytes that a payload of 104 takes
SEGMENT = 800  # bytes: a header, three such records, and 128 bytes of room
END = SEGMENT_HEADER_BYTES + 3 * RECORD
LAST = END - RECORD  # where the last record of a segment is


HEAD = SEGMENT_HEADER_BYTES


def open_log(folder: Path, disk: Disk | None = None, segment_size_bytes: int = SEGMENT) -> FileLog:
    disk = disk or NoSyncDisk()
    return eventlog.open(folder, now_ns=lambda: 7, disk=disk, segment_size_bytes=segment_size_bytes)


def payload(seq: int) -> bytes:
    """What record `seq` holds."""
    return b"%d;" % seq * (104 // len(b"%d;" % seq)) + b"." * (104 % len(b"%d;" % seq))


def write_log(folder: Path, records: int = 9) -> Path:
    """The log of a process that was killed: records of one event, three to a segment."""
    log = open_log(folder)
    for seq in range(1, records + 1):
        log.append(payload(seq), 1, seq - 1)
    abandon(log)
    return folder


def segment(folder: Path, first_seq: int) -> Path:
    return folder / f"{first_seq:020d}.seg"


def contents(folder: Path) -> dict[str, bytes]:
    """Everything in a log's folder but the lock."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "lock"}


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


Damage = Callable[[Path], object]  # done to a log's folder


def written(first_seq: int, offset: int, data: bytes) -> Damage:
    return lambda folder: overwrite(segment(folder, first_seq), offset, data)


def flipped(first_seq: int, offset: int) -> Damage:
    """One byte of a segment changed."""

    def damage(folder: Path) -> None:
        path = segment(folder, first_seq)
        overwrite(path, offset, bytes([path.read_bytes()[offset] ^ 0xFF]))

    return damage


def zeroed(first_seq: int, offset: int, size: int) -> Damage:
    """Bytes of a segment that read as zeros."""
    return written(first_seq, offset, bytes(size))


def cut(first_seq: int, size: int) -> Damage:
    def damage(folder: Path) -> None:
        path = segment(folder, first_seq)
        path.write_bytes(path.read_bytes()[:size])

    return damage


def repeated(source: tuple[int, int], size: int, target: tuple[int, int]) -> Damage:
    """Bytes of one (segment, offset) at another, too."""

    def damage(folder: Path) -> None:
        data = segment(folder, source[0]).read_bytes()
        overwrite(segment(folder, target[0]), target[1], data[source[1] :][:size])

    return damage


def lost(*segments: int) -> Damage:
    def damage(folder: Path) -> None:
        for first_seq in segments:
            segment(folder, first_seq).unlink()

    return damage


def left(name: str) -> Damage:
    return lambda folder: (folder / name).write_bytes(b"left")


def renamed(first_seq: int, new: int) -> Damage:
    """A segment under another number."""
    return lambda folder: segment(folder, first_seq).rename(segment(folder, new))


def copied(first_seq: int, new: int) -> Damage:
    """A segment under another number, too."""
    return lambda folder: shutil.copy(segment(folder, first_seq), segment(folder, new))


def swapped(first: int, second: int) -> Damage:
    """Two segments under each other's number."""
    return all_of(renamed(first, 99), renamed(second, first), renamed(99, second))


def of_another_log(first_seq: int) -> Damage:
    """A segment replaced by the one of the same name in another log of the same records."""

    def damage(folder: Path) -> None:
        other = write_log(folder.with_name("another"))
        shutil.copy(segment(other, first_seq), segment(folder, first_seq))

    return damage


def with_tenth_record(**changes: int) -> Damage:
    """A tenth record, whole and with a valid chain, whose header is changed."""

    def damage(folder: Path) -> None:
        data = segment(folder, 7).read_bytes()
        chain = data[LAST + 56 : LAST + 88]
        header = RecordHeader(10, 1, RecordType.EVENTS, 7, 1)._replace(**changes)
        segment_id = int.from_bytes(data[12:16], "little")
        record, _ = encode_record(chain, header, b"x", durable_seq=9, segment_id=segment_id)
        overwrite(segment(folder, 7), END, record)

    return damage


def with_header(first_seq: int, **changes: int | bytes) -> Damage:
    """A segment with a whole header that says something else."""

    def damage(folder: Path) -> None:
        header = decode_segment_header(segment(folder, first_seq).read_bytes())
        changed = encode_segment_header(header._replace(**changes))  # type: ignore[arg-type]  # mixed
        overwrite(segment(folder, first_seq), 0, changed)

    return damage


def with_length(first_seq: int, size_bytes: int) -> Damage:
    """A segment whose header states another length of its file; 0: none, as earlier versions."""
    return with_header(first_seq, size_bytes=size_bytes)


def with_version(first_seq: int, version: int) -> Damage:
    """A segment that a later version of the format has made, as far as anybody can tell."""
    return all_of(written(first_seq, 8, version.to_bytes(4, "little")), flipped(first_seq, 92))


def all_of(*damages: Damage) -> Damage:
    return lambda folder: [damage(folder) for damage in damages]


NOTHING = all_of()
