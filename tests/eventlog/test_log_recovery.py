"""Opening what a crash, a bad disk or a careless hand left: cut, refuse, never a wrong record."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eventlog
from eventlog import FileLog, LogDamaged, LogReader, LogUnavailable
from eventlog.format import (
    SEGMENT_HEADER_BYTES,
    Meaning,
    RecordType,
    decode_segment_header,
    encode_record,
    encode_segment_header,
)
from eventlog.testing import FailingDisk, FastDisk, abandon

RECORD = 192  # bytes that a payload of 104 takes
SEGMENT = 800  # bytes: a header, three such records, and 128 bytes of room
END = SEGMENT_HEADER_BYTES + 3 * RECORD
LAST = END - RECORD  # where the last record of a segment is


def open_log(
    folder: Path, disk: FastDisk | None = None, segment_size_bytes: int = SEGMENT
) -> FileLog:
    """The log in a folder, opened for writing."""
    disk = disk or FastDisk()
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
    """The file of a segment."""
    return folder / f"{first_seq:020d}.seg"


def contents(folder: Path) -> dict[str, bytes]:
    """Everything in a log's folder but the lock."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "lock"}


def overwrite(path: Path, offset: int, data: bytes) -> None:
    """Write into a file."""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


Damage = Callable[[Path], object]  # done to a log's folder


def written(first_seq: int, offset: int, data: bytes) -> Damage:
    """Other bytes in a segment."""
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
    """A segment that ends early."""

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
    """Segments that are gone."""

    def damage(folder: Path) -> None:
        for first_seq in segments:
            segment(folder, first_seq).unlink()

    return damage


def left(name: str) -> Damage:
    """One more file."""
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
    """A tenth record, whole and with a valid chain, whose meaning is changed."""

    def damage(folder: Path) -> None:
        data = segment(folder, 7).read_bytes()
        chain = data[LAST + 56 : LAST + 88]
        meaning = Meaning(10, 1, RecordType.EVENTS, 7, 1)._replace(**changes)
        segment_id = int.from_bytes(data[12:16], "little")
        record, _ = encode_record(chain, meaning, b"x", durable_seq=9, segment_id=segment_id)
        overwrite(segment(folder, 7), END, record)

    return damage


def with_header(first_seq: int, **changes: int | bytes) -> Damage:
    """A segment with a whole header that says something else."""

    def damage(folder: Path) -> None:
        header = decode_segment_header(segment(folder, first_seq).read_bytes())
        changed = encode_segment_header(header._replace(**changes))  # type: ignore[arg-type]  # mixed
        overwrite(segment(folder, first_seq), 0, changed)

    return damage


def all_of(*damages: Damage) -> Damage:
    """One after the other."""
    return lambda folder: [damage(folder) for damage in damages]


@dataclass(frozen=True)
class Opens:
    """The log opens with its records up to `last_seq`; `torn` bytes were cut and kept, if any."""

    last_seq: int
    torn: int = 0


@dataclass(frozen=True)
class Refuses:
    """The log does not open; the error names this segment and says this."""

    first_seq: int
    says: str


NOTHING = all_of()
HEAD = SEGMENT_HEADER_BYTES
TORN_NAME = f"{1:020d}.seg.torn-96"

CASES: list[tuple[str, Damage, Opens | Refuses]] = [
    ("nothing happened", NOTHING, Opens(9)),
    # A torn tail.
    ("last payload flipped", flipped(7, END - 1), Opens(8, torn=RECORD)),
    ("last header flipped", flipped(7, LAST + 20), Opens(8, torn=RECORD)),
    ("last chain flipped", flipped(7, LAST + 60), Opens(8, torn=RECORD)),
    ("last header never written", zeroed(7, LAST, 88), Opens(8, torn=RECORD)),
    ("last payload never written", zeroed(7, LAST + 88, 104), Opens(8, torn=88)),
    ("last record never written", zeroed(7, LAST, RECORD), Opens(8)),
    ("cut inside the last payload", cut(7, END - 9), Opens(8, torn=RECORD - 9)),
    ("cut inside the last header", cut(7, LAST + 49), Opens(8, torn=49)),
    ("cut where the records end", cut(7, END), Opens(9)),
    ("cut after the segment header", cut(7, HEAD), Opens(6)),
    ("junk behind the last record", written(7, END, b"junk"), Opens(9, torn=4)),
    ("junk at the end of the file", written(7, SEGMENT - 1, b"j"), Opens(9, torn=128)),
    ("another segment's record", repeated((1, HEAD), 128, (7, END)), Opens(9, torn=128)),
    # Files that were not finished.
    ("a segment not finished", left(f"{10:020d}.seg.tmp"), Opens(9)),
    ("a torn tail's copy not finished", left(f"{TORN_NAME}.tmp"), Opens(9)),
    (
        "a torn tail after such a copy",
        all_of(left(f"{7:020d}.seg.torn-{END}.tmp"), written(7, END, b"!")),
        Opens(9, torn=1),
    ),
    ("a segment without records", zeroed(7, HEAD, SEGMENT - HEAD), Opens(6)),
    ("a folder with only a lock", lost(1, 4, 7), Opens(0)),
    # What cannot be known without a copy of the head elsewhere.
    ("last segment lost", lost(7), Opens(6)),
    # Damage in the last segment.
    ("second last payload flipped", flipped(7, LAST - 1), Refuses(7, "payload crc")),
    ("second last magic flipped", flipped(7, LAST - RECORD), Refuses(7, "record magic")),
    ("second last header flipped", flipped(7, LAST - RECORD + 9), Refuses(7, "header crc")),
    ("second last record zeroed", zeroed(7, LAST - RECORD, RECORD), Refuses(7, "zeros")),
    ("first two records zeroed", zeroed(7, HEAD, 2 * RECORD), Refuses(7, "8 was durable")),
    ("segment header flipped", flipped(7, 40), Refuses(7, "segment header crc")),
    ("segment header cut", cut(7, HEAD - 1), Refuses(7, "95 bytes")),
    ("no bytes at all", cut(7, 0), Refuses(7, "0 bytes")),
    ("segment magic gone", zeroed(7, 0, 8), Refuses(7, "segment magic")),
    ("last record twice", repeated((7, LAST), 192, (7, END)), Refuses(7, "number 9")),
    # A later version's work.
    ("a later version", written(7, 8, b"\2"), Refuses(7, "format version 2")),
    ("a later record type", with_tenth_record(type=3), Refuses(7, "record type 3")),
    # Damage in a sealed segment.
    ("sealed: payload flipped", flipped(4, HEAD + 100), Refuses(4, "payload crc")),
    ("sealed: last byte flipped", flipped(4, END - 1), Refuses(4, "payload crc")),
    ("sealed: last record zeroed", zeroed(4, LAST, RECORD), Refuses(4, "no more records")),
    ("sealed: last header zeroed", zeroed(4, LAST, 88), Refuses(4, "not zero")),
    ("sealed: segment header flipped", flipped(4, 50), Refuses(4, "header crc")),
    ("sealed: junk behind its records", written(4, END, b"j"), Refuses(4, "record magic")),
    ("sealed: junk at its end", written(4, SEGMENT - 1, b"j"), Refuses(4, "not zero")),
    ("sealed: cut inside a record", cut(4, END - 1), Refuses(4, "the end of the file")),
    ("sealed: cut between records", cut(4, LAST), Refuses(4, "no more records")),
    ("sealed: cut where its records end", cut(4, END), Opens(9)),
    # Segments lost, doubled and mixed up.
    ("first segment lost", lost(1), Refuses(1, "as the first segment")),
    ("middle segment lost", lost(4), Refuses(1, "no more records")),
    ("all lost but a torn tail", all_of(lost(1, 4, 7), left(TORN_NAME)), Refuses(1, TORN_NAME)),
    ("renamed to a later number", renamed(7, 8), Refuses(4, "no more records")),
    ("copied to the next number", copied(7, 10), Refuses(10, "first seq 7")),
    ("copied to a number in between", copied(7, 8), Refuses(7, "no more records")),
    ("first two swapped", swapped(1, 4), Refuses(1, "first seq 4")),
    ("last two swapped", swapped(4, 7), Refuses(4, "first seq 7")),
    ("another past", with_header(7, chain=bytes(32)), Refuses(7, "previous chain")),
    ("another segment id", with_header(4, segment_id=1), Refuses(4, "header crc")),
    ("another log's last segment", of_another_log(7), Refuses(7, "log id")),
    ("another log's first segment", of_another_log(1), Refuses(4, "log id")),
]


@pytest.mark.parametrize(("damage", "outcome"), [pytest.param(*c[1:], id=c[0]) for c in CASES])
def test_recovery(tmp_path: Path, damage: Damage, outcome: Opens | Refuses) -> None:
    """A crash's remains are cut and kept, and damage is refused and left as it is."""
    folder = write_log(tmp_path / "log")
    damage(folder)
    before = contents(folder)
    if isinstance(outcome, Refuses):
        with pytest.raises(LogDamaged) as caught:
            open_log(folder)
        assert outcome.says in str(caught.value)
        assert caught.value.file == segment(folder, outcome.first_seq)
        assert contents(folder) == before
        return
    log = open_log(folder)
    last_seq = outcome.last_seq
    assert [r.payload for r in log.read()] == [payload(n) for n in range(1, last_seq + 1)]
    assert (log.recovery.torn_bytes if log.recovery else 0) == outcome.torn
    if log.recovery:
        torn = before[log.recovery.segment.name][log.recovery.offset :].rstrip(b"\0")
        assert log.recovery.kept_in.read_bytes() == torn
        assert log.recovery.last_seq == last_seq
    assert not list(folder.glob("*.tmp"))
    # It is fit for use, and opening again finds nothing to do.
    assert log.append(payload(last_seq + 1), 1, last_seq) == last_seq + 1
    abandon(log)
    after = contents(folder)
    log = open_log(folder)
    assert (log.recovery, log.last_seq) == (None, last_seq + 1)
    log.close()
    assert contents(folder) == after


def test_a_file_that_is_almost_a_segment_is_refused(tmp_path: Path) -> None:
    """A copy under a name that is no segment's could be a part of the log: it is not ignored."""
    folder = write_log(tmp_path / "log")
    shutil.copy(segment(folder, 7), folder / "7 (copy).seg")
    with pytest.raises(LogDamaged, match=r"a segment named 7 \(copy\).seg"):
        open_log(folder)


def test_an_error_says_what_where_and_what_to_do(tmp_path: Path) -> None:
    """A damaged log's error names file, offset, record, what was found and what to do."""
    folder = write_log(tmp_path / "log")
    flipped(4, END - 1)(folder)
    with pytest.raises(LogDamaged) as caught:
        open_log(folder)
    error = caught.value
    assert (error.file, error.offset, error.seq) == (segment(folder, 4), LAST, 6)
    assert str(error) == (
        f"segment {segment(folder, 4)}, offset {LAST}, record 6: {error.found}, "
        f'expected {error.expected}; run "network-controller log verify" on a copy'
    )
    written(4, 8, b"\2")(folder)
    with pytest.raises(LogDamaged, match="a newer one"):
        open_log(folder)


def read_all(folder: Path) -> list[bytes] | None:
    """What a reader gets of a damaged log; None if it refuses."""
    try:
        return [record.payload for record in LogReader(folder, FastDisk()).read()]
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
    for size in range(304, 408):
        folder = tmp_path / str(size)
        folder.mkdir()
        segment(folder, 1).write_bytes(small[:size])
        assert read_all(folder) == WRITTEN[:2]
        log = open_log(folder, segment_size_bytes=500)
        torn = log.recovery.kept_in.read_bytes() if log.recovery else b""
        assert [record.payload for record in log.read()] == WRITTEN[:2]
        assert torn == small[304:size].rstrip(b"\0")
        log.close()


@settings(max_examples=120, deadline=None)
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


def test_torn_tails_are_never_overwritten(tmp_path: Path) -> None:
    """Two torn tails at one place are two files; the same bytes, cut again, are one."""
    folder = write_log(tmp_path / "log", 3)
    for junk in (b"first", b"second", b"first"):
        overwrite(segment(folder, 1), END, junk)
        log = open_log(folder)
        assert log.recovery is not None
        assert log.recovery.kept_in.read_bytes() == junk
        log.close()
    assert len(list(folder.glob("*.torn-*"))) == 2


def torn_log(folder: Path) -> Path:
    """A log with everything that recovery has to clear away."""
    write_log(folder)
    all_of(flipped(7, END - 1), cut(7, END), left(f"{10:020d}.seg.tmp"))(folder)
    return folder


def test_recovery_may_be_interrupted_anywhere(tmp_path: Path) -> None:
    """Recovery that fails at any operation, and runs again, ends as if it had run once."""
    once = torn_log(tmp_path / "log")
    untouched = tmp_path / "untouched"
    shutil.copytree(once, untouched)
    open_log(once).close()
    expected = contents(once)
    for operations in range(100):
        folder = tmp_path / str(operations)
        shutil.copytree(untouched, folder)
        try:
            open_log(folder, FailingDisk(operations, partial=True)).close()
        except LogUnavailable:
            open_log(folder).close()
            assert contents(folder) == expected
        else:
            assert operations > 8
            return
    pytest.fail("recovery never came to an end")


def test_a_writer_that_wrote_nothing_leaves_no_epoch(tmp_path: Path) -> None:
    """An epoch is durable with its writer's first record; no two writers' records share one."""
    folder = tmp_path / "log"
    epochs = []
    for seq in range(4):
        open_log(folder).close()
        log = open_log(folder)
        epochs.append(log.epoch)
        log.append(b"x", 1, seq)
        log.close()
    log = open_log(folder)
    assert [record.epoch for record in log.read()] == epochs == [2, 3, 4, 5]
    log.close()
