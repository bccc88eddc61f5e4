"""Opening what a crash, a bad disk or a careless hand left: cut, or refuse, and say what to do."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from eventlog import LogDamaged
from eventlog.testing import abandon
from tests.support.damage import (
    END,
    HEAD,
    LAST,
    NOTHING,
    RECORD,
    SEGMENT,
    Damage,
    all_of,
    contents,
    copied,
    cut,
    flipped,
    left,
    lost,
    of_another_log,
    open_log,
    payload,
    renamed,
    repeated,
    segment,
    swapped,
    with_header,
    with_length,
    with_tenth_record,
    write_log,
    written,
    zeroed,
)


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
    ("the last payload not all written", zeroed(7, END - 48, 48), Opens(8, torn=RECORD - 48)),
    ("the last header not all written", zeroed(7, LAST + 41, 151), Opens(8, torn=41)),
    ("junk behind the last record", written(7, END, b"junk"), Opens(9, torn=4)),
    ("junk at the end of the file", written(7, SEGMENT - 1, b"j"), Opens(9, torn=128)),
    ("another segment's record", repeated((1, HEAD), 128, (7, END)), Opens(9, torn=128)),
    # A copy that broke off, where something is missing or may be.
    ("cut inside the last payload", cut(7, END - 9), Refuses(7, "183 bytes of a record")),
    ("cut inside the last header", cut(7, LAST + 49), Refuses(7, "49 bytes of a record")),
    ("cut between records", cut(7, LAST), Refuses(7, "480 of 800 bytes")),
    ("cut where the records end", cut(7, END), Refuses(7, "672 of 800 bytes")),
    ("cut after the segment header", cut(7, HEAD), Refuses(7, "96 of 800 bytes")),
    # One behind which nothing can have been: the next record would begin there.
    ("cut behind the first zero", cut(7, END + 1), Opens(9)),
    ("cut before the last zero", cut(7, SEGMENT - 1), Opens(9)),
    # What earlier versions wrote: no length, and no zeros after a full disk.
    ("earlier: cut where the records end", all_of(with_length(7, 0), cut(7, END)), Opens(9)),
    ("earlier: no records", all_of(with_length(7, 0), cut(7, HEAD)), Opens(6)),
    (
        "earlier: cut inside the last record",
        all_of(with_length(7, 0), cut(7, END - 9)),
        Refuses(7, "183 bytes of a record"),
    ),
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
        f"expected {error.expected}; plan_repair of eventlog.repair says what can be saved"
    )
    written(4, 8, b"\2")(folder)
    with pytest.raises(LogDamaged, match="a newer one"):
        open_log(folder)
