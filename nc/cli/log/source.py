"""Which log a command reads, wherever it is, and how far it has come.

A log is a folder of segments: a running server's, or a copy. A file that was exported is unpacked
into a temporary folder, which is gone when the command ends; then it is read as any other.
"""

import os
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from eventlog import LogReader, Record
from eventlog.format import NO_CHAIN, SegmentHeader
from eventlog.segments import SEGMENT_SUFFIX, segment_name
from eventlog.slices import encode_segment, encode_start
from eventlog.snapshots import snapshot_name
from nc.cli.entrypoint import DATA_DIR_VARIABLE, OperationFailed, default_data_dir
from nc.data_folder import DataFolder
from nc.history.export.binary import ExportRefused, unpack
from nc.history.export.jsonl import before_in, records_in
from nc.replica.gc import gc_disabled

DataDirOption = Annotated[
    Path | None,
    typer.Option(
        envvar=DATA_DIR_VARIABLE,
        help=f"The data folder. Default: {default_data_dir()}",
        readable=False,  # whether it is, is not a question of usage
    ),
]
LogOption = Annotated[
    Path | None,
    typer.Option(
        "--log",
        metavar="PATH",
        help="A log's own folder, such as a copy, or a file that was exported, instead of the "
        "data folder's.",
        readable=False,
    ),
]

_UNPACKED: Final = "network-controller-"  # what a folder's name begins with that a file becomes
_ZIP_MAGIC: Final = b"PK\x03\x04"
_STEPS: Final = 500  # of a bar: more cannot be seen, and each takes a while

# What a JSONL export becomes: its chain is computed anew, and means nothing.
_NO_LOG_ID: Final = bytes(16)


class OpenLog(NamedTuple):
    """A log that is open for reading."""

    reader: LogReader
    is_original: bool  # its bytes and its chain are the log's; else it was made from JSONL


def log_path(data_dir: Path | None, log: Path | None) -> Path:
    """The folder or the file that the options name; of a data folder, the log in it.

    Raises:
        OperationFailed: they name nothing that is there, or that may be looked into.
    """
    path = log
    if path is None:
        home = data_dir or default_data_dir()
        path = DataFolder(home).log
        for each in (home, path):
            _require(each, f"name the data folder with --data-dir or {DATA_DIR_VARIABLE}")
    _require(path, "name a log's folder, or an exported file")
    inside = DataFolder(path).log
    # by os, which is silent where one may not look: the reader says so, and why
    is_inside = os.path.isdir(inside)  # noqa: PTH112 - as above
    is_data_folder = is_inside and not any(path.glob(f"*{SEGMENT_SUFFIX}"))
    return inside if is_data_folder else path


def _require(path: Path, what_to_do: str) -> None:
    """Raise OperationFailed for what is not there, or where one may not look."""
    try:
        path.stat()
    except FileNotFoundError:
        raise OperationFailed(f"{path} is not there: {what_to_do}") from None
    except OSError as error:
        raise OperationFailed(f"{path} cannot be read: {error.strerror}") from error


def open_log(data_dir: Path | None, log: Path | None) -> OpenLog:
    """The log that the options name.

    Raises:
        OperationFailed: the file cannot be read, or there is no room to unpack it.
        ExportRefused, ExportDamaged: it is no export, or not any more.
        LogMissing, LogDamaged, LogUnavailable: from the reader.
    """
    path = log_path(data_dir, log)
    if not path.is_file():
        return OpenLog(LogReader(path), is_original=True)
    temporary = tempfile.TemporaryDirectory(prefix=_UNPACKED)
    try:
        with path.open("rb") as file:
            magic = file.read(len(_ZIP_MAGIC))
        folder = Path(temporary.name)
        if magic == _ZIP_MAGIC:
            with bar("unpacking") as progress:
                unpack(path, folder, progress)
        else:
            _rebuild(path, folder)
        reader = LogReader(folder)
    except BaseException as error:
        temporary.cleanup()
        if isinstance(error, OSError):
            raise OperationFailed(f"{path} cannot be read: {error.strerror}") from error
        raise
    weakref.finalize(reader, temporary.cleanup)  # also when the program ends
    return OpenLog(reader, is_original=magic == _ZIP_MAGIC)


def is_unpacked(folder: Path) -> bool:
    """Whether it is what a file became, and so gone when the command has ended."""
    home = Path(tempfile.gettempdir())
    return folder.parent == home and folder.name.startswith(_UNPACKED)


def open_reader(data_dir: Path | None, log: Path | None) -> LogReader:
    """The log that the options name; raises as `open_log`."""
    return open_log(data_dir, log).reader


def _rebuild(path: Path, folder: Path) -> None:
    """Make a log's folder of a JSONL export."""
    size_bytes = path.stat().st_size
    with path.open("rb") as file, bar("reading") as progress:
        texts: Iterator[str] = (line.decode("utf-8", "replace") for line in file)
        first_line = next(texts, "")
        before = before_in(first_line)
        if before is None:
            texts = chain([first_line], texts)
        records = records_in(texts, str(path), 1 if before is None else 2)
        first = next(records, None) if first_line else None
        if first is None:
            raise ExportRefused(f"{path} is empty: no event was exported to it")
        header = SegmentHeader(
            0, _NO_LOG_ID, first.first_seq, first.epoch, first.recorded_at_ns, NO_CHAIN
        )

        if before is not None and before.seq == first.first_seq - 1:
            start = encode_start(header, before.schema, before.payload)
            (folder / snapshot_name(before.seq)).write_bytes(start)

        def told() -> Iterator[Record]:
            for record in chain([first], records):
                progress(file.tell(), size_bytes)
                yield record

        with (folder / segment_name(first.first_seq)).open("wb") as segment:
            segment.writelines(encode_segment(header, told()))


@contextmanager
def progress_to(reader: LogReader, doing: str) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, told the sequence numbers that were reached; elsewhere nothing.

    Garbage is not looked for meanwhile: what is read stays, or is freed without a search.
    """
    start = reader.start.last_seq
    with gc_disabled(), bar(doing) as progress:
        total = reader.last_seq - start if Console(stderr=True).is_terminal else 0
        yield lambda seq: progress(seq - start, total)


@contextmanager
def bar(doing: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, told how much of how much is done; elsewhere nothing."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _done, _total: None
        return
    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(doing, total=None)
        shown = 0

        def show(done: int, total: int) -> None:
            nonlocal shown
            if (done - shown) * _STEPS >= total or done < shown:
                progress.update(task, completed=done, total=total)
                shown = done

        yield show
