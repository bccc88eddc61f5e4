"""No changed byte of a log is ever believed: what is read is what was written, or it is refused."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog import LogDamaged, LogReader
from eventlog.testing import NoSyncDisk, abandon
from tests.support.damage import (
    RECORD,
    SEGMENT,
    open_log,
    overwrite,
    payload,
    segment,
    write_log,
)


def read_all(folder: Path) -> list[bytes] | None:
    """What a reader gets of a damaged log; None if it refuses."""
    try:
        return [record.payload for record in LogReader(folder, NoSyncDisk()).read()]
    except LogDamaged:
        return None


def open_and_read(folder: Path) -> list[bytes] | None:
    """What a writer finds in a damaged log; None if it refuses."""
    try:
        log = open_log(folder, segment_size_bytes=500)
    except LogDamaged:
        return None
    try:
        return [record.payload for record in log.read()]
    finally:
        log.close()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A segment with three records (at 96, 200, 304, to 408), and 92 bytes of room."""
    folder = tmp_path_factory.mktemp("small")
    log = open_log(folder, segment_size_bytes=500)
    for seq in (1, 2, 3):
        log.append(b"payload %d" % seq, 1, seq - 1)
    abandon(log)
    return segment(folder, 1).read_bytes()


WRITTEN = [b"payload 1", b"payload 2", b"payload 3"]


@pytest.mark.parametrize("mask", [0x01, 0xFF])
def test_no_flipped_byte_is_ever_believed(tmp_path: Path, small: bytes, mask: int) -> None:
    """Whatever byte of a log is changed: damage is refused, and only the last record is cut."""
    path = segment(tmp_path, 1)
    last_record, end = 304, 408
    for place in range(len(small)):
        changed = bytearray(small)
        changed[place] ^= mask
        path.write_bytes(changed)
        for look in (read_all, open_and_read):  # the writer changes the file: last
            found = look(tmp_path)
            if place < last_record:
                assert found is None, f"byte {place}"
            elif place < end:
                assert found in (WRITTEN[:2], None), f"byte {place}"
            else:
                assert found == WRITTEN, f"byte {place}"


def test_a_record_cut_anywhere_is_kept_aside(tmp_path: Path, small: bytes) -> None:
    """Of a last record written in part, the bytes are kept aside and the record is not there."""
    for size in range(304, 408 - 7):  # the padding is zeros
        folder = tmp_path / str(size)
        folder.mkdir()
        segment(folder, 1).write_bytes(small[:size].ljust(len(small), b"\0"))
        assert read_all(folder) == WRITTEN[:2]
        log = open_log(folder, segment_size_bytes=500)
        torn = log.recovery.kept_in.read_bytes() if log.recovery else b""
        assert [record.payload for record in log.read()] == WRITTEN[:2]
        assert torn == small[304:size].rstrip(b"\0")
        log.close()


@given(
    which=st.sampled_from([1, 4, 7]),
    offset=st.integers(0, SEGMENT - 1),
    junk=st.one_of(st.binary(min_size=1, max_size=300), st.integers(1, SEGMENT).map(bytes)),
)
def test_no_overwritten_range_is_ever_believed(
    tmp_path_factory: pytest.TempPathFactory, which: int, offset: int, junk: bytes
) -> None:
    """Whatever is written over a log: it is refused, or gives the records before that place."""
    folder = write_log(tmp_path_factory.mktemp("log"))
    path = segment(folder, which)
    original = path.read_bytes()
    overwrite(path, offset, junk)
    changed = path.read_bytes()
    first = next(
        (n for n, (a, b) in enumerate(zip(original, changed, strict=False)) if a != b), None
    )
    untouched = 9 if first is None else which - 1 + min(max(first - 96, 0) // RECORD, 3)
    for look in (read_all, open_and_read):
        found = look(folder)
        if found is not None:
            assert found == [payload(seq) for seq in range(1, len(found) + 1)]
            assert len(found) >= (9 if which != 7 else untouched)
    shutil.rmtree(folder)
