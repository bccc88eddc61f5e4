"""A zip file is unpacked only if it is one of ours, and whole."""

import io
import shutil
import zipfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from eventlog import LogReader, Record
from eventlog.format import NO_CHAIN, SegmentHeader
from nc.domain.events import Batch, Entry, Event, ReplicaStopped
from nc.domain.state import State
from nc.history.export import binary
from nc.history.export.binary import ExportDamaged, ExportRefused, unpack, write_archive

SEGMENT, LATER, SNAPSHOT = f"{1:020d}.seg", f"{4:020d}.seg", f"{3:020d}.snapshot"


def records(first_seq: int, count: int) -> list[Record]:
    payload = Batch(entries=[Entry(events=[Event(replica_stopped=ReplicaStopped())])])
    data = payload.SerializeToString()
    return [Record(first_seq + n, 1, n, 1, NO_CHAIN, data) for n in range(count)]


def exported(path: Path, first_seq: int = 1, count: int = 5) -> Path:
    """An export of a log of events that change nothing."""
    header = SegmentHeader(5, bytes(range(16)), first_seq, 1, 0, NO_CHAIN)
    with path.open("wb") as file:
        write_archive(file, header, records(first_seq, count), State(seq=first_seq - 1))
    return path


def unpacked(path: Path, folder: Path) -> list[str]:
    """The names of what came out; progress only rises, to the whole."""
    folder.mkdir()
    told: list[tuple[int, int]] = []
    unpack(path, folder, lambda done, total: told.append((done, total)))
    assert all(a < b for (a, _), (b, _) in pairwise(told))
    assert told[-1][0] == told[-1][1]
    return sorted(each.name for each in folder.iterdir())


@pytest.mark.parametrize(("first_seq", "names"), [(1, [SEGMENT]), (4, [SNAPSHOT, LATER])])
def test_what_is_exported_is_a_folder_with_a_log(
    tmp_path: Path, first_seq: int, names: list[str]
) -> None:
    """One segment that ends with its last record, and a snapshot if it begins later."""
    path = exported(tmp_path / "log.zip", first_seq)
    assert unpacked(path, tmp_path / "log") == names
    reader = LogReader(tmp_path / "log")
    assert (reader.start.last_seq, reader.last_seq) == (first_seq - 1, first_seq + 4)
    (segment,) = (tmp_path / "log").glob("*.seg")
    size_bytes = 96 + 5 * (88 + (len(records(1, 1)[0].payload) + 7 & ~7))
    assert segment.stat().st_size == size_bytes
    assert exported(tmp_path / "again.zip", first_seq).read_bytes() == path.read_bytes()


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as made:
        for name, data in members:
            made.writestr(zipfile.ZipInfo(name), data, method)
    return file.getvalue()


def encrypted() -> bytes:
    """A zip file that says that it is encrypted."""
    data = bytearray(zipped((SEGMENT, b"x")))
    for mark, offset in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        data[data.index(mark) + offset] |= 1
    return bytes(data)


EVIL: dict[str, Callable[[], bytes]] = {
    "a path upwards": lambda: zipped((f"../{SEGMENT}", b"x")),
    "a path from the root": lambda: zipped((f"/tmp/{SEGMENT}", b"x")),  # noqa: S108 - a bad name
    "a folder": lambda: zipped((f"log/{SEGMENT}", b"x")),
    "a drive": lambda: zipped((f"C:{SEGMENT}", b"x")),
    "other digits": lambda: zipped(("\u0661" * 20 + ".seg", b"x")),
    "a path behind a name": lambda: zipped((f"{SEGMENT}/../../{SEGMENT}", b"x")),
    "a newline": lambda: zipped((f"{SEGMENT}\n", b"x")),
    "a stranger": lambda: zipped((SEGMENT, b"x"), ("setup.py", b"x")),
    "a lock": lambda: zipped((SEGMENT, b"x"), ("lock", b"x")),
    "two segments": lambda: zipped((SEGMENT, b"x"), (LATER, b"x")),
    "two snapshots": lambda: zipped((SEGMENT, b"x"), (SNAPSHOT, b"x"), (SNAPSHOT, b"x")),
    "no segment": lambda: zipped((SNAPSHOT, b"x")),
    "nothing": zipped,
    "another packing": lambda: zipped((SEGMENT, b"x"), method=zipfile.ZIP_BZIP2),
    "a password": encrypted,
    "a bomb": lambda: zipped((SEGMENT, bytes(8 * 1024**2))),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", EVIL)
def test_what_is_no_export_is_refused_before_it_is_unpacked(tmp_path: Path, name: str) -> None:
    """Other names, more files, other packings, and what would fill the disk: nothing is written."""
    path, folder = tmp_path / "evil.zip", tmp_path / "log"
    path.write_bytes(EVIL[name]())
    folder.mkdir()
    with pytest.raises(ExportRefused, match=r"evil\.zip"):
        unpack(path, folder, lambda *_: None)
    assert sorted(each.name for each in tmp_path.rglob("*")) == ["evil.zip", "log"]


def test_what_has_no_room_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Larger than any log, or than what is free where it would go."""
    path, folder = exported(tmp_path / "log.zip"), tmp_path / "log"
    folder.mkdir()
    monkeypatch.setattr(binary, "MAX_UNPACKED_BYTES", 100)
    with pytest.raises(ExportRefused, match="at most 100 expected"):
        unpack(path, folder, lambda *_: None)
    monkeypatch.undo()
    free = shutil.disk_usage(folder)._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    with pytest.raises(ExportRefused, match="TMPDIR"):
        unpack(path, folder, lambda *_: None)


def test_no_damaged_zip_file_is_believed(tmp_path: Path) -> None:
    """Whatever byte is changed, and wherever it is cut: it is refused, or gives the same log."""
    whole = exported(tmp_path / "log.zip", 4, 2).read_bytes()
    path = tmp_path / "damaged.zip"
    expected = list(_read(tmp_path / "log.zip", tmp_path / "whole"))
    cases = [whole[:size] for size in range(0, len(whole), 7)]
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 0x41
        cases.append(bytes(changed))
    refused = 0
    for number, data in enumerate(cases):
        path.write_bytes(data)
        try:
            found = _read(path, tmp_path / str(number))
        except (ExportDamaged, ExportRefused):
            refused += 1
        else:
            assert found == expected, f"case {number}"
    assert refused > len(cases) / 2


def _read(path: Path, folder: Path) -> list[Record]:
    folder.mkdir()
    unpack(path, folder, lambda *_: None)
    return list(LogReader(folder).read())
