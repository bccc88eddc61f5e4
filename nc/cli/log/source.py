"""The log that a command reads, and the progress of reading.

A log is a folder of segments: a running server's, or a copy. A binary export is unpacked into a
temporary folder, which is deleted when the command ends, and read as any other log.
"""

import os
import stat
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from eventlog import LogReader
from eventlog.segments import SEGMENT_SUFFIX
from nc.cli.entrypoint import OperationFailed
from nc.cli.stream_address import stream_address, stream_in
from nc.data_folder import DATA_DIR_VARIABLE, DataFolder, default_data_dir
from nc.replica.gc import gc_disabled

DataDirOption = Annotated[
    Path | None,
    typer.Option(
        envvar=DATA_DIR_VARIABLE,
        help=f"The data folder. Default: {default_data_dir()}",
        readable=False,  # a missing folder is no mistake in usage
    ),
]
LogOption = Annotated[
    str | None,
    typer.Option(
        "--log",
        metavar="PATH",
        help="A log's own folder, such as a copy, a binary export, or the stream of a cluster "
        "(nats://HOST,…/STREAM), instead of the data folder's.",
        path_type=str,  # completed as a path; one has no second slash, which an address has
        readable=False,
    ),
]

_UNPACKED: Final = "network-controller-"  # the beginning of the temporary folder's name
_STEPS: Final = 500  # of a bar: more are not visible, and each takes a while


def log_path(data_dir: Path | None, log: str | None) -> Path:
    """The folder or the file that the options name; of a data folder, the log in it.

    Args:
        data_dir: as given.
        log: as given, and no address.

    Raises:
        OperationFailed: they name nothing that exists and can be read.
    """
    if log is None:
        home = data_dir or default_data_dir()
        path = DataFolder(home).log
        for each in (home, path):
            _require(each, f"name the data folder with --data-dir or {DATA_DIR_VARIABLE}")
    else:
        path = Path(log)
    _require(path, "name a log's folder, or an exported file")
    inside = DataFolder(path).log
    # os.path hides permission errors; the reader reports them
    is_inside = os.path.isdir(inside)  # noqa: PTH112 - as above
    is_data_folder = is_inside and not any(path.glob(f"*{SEGMENT_SUFFIX}"))
    return inside if is_data_folder else path


def _require(path: Path, what_to_do: str) -> None:
    """Raise OperationFailed for a path that does not exist or cannot be read."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise OperationFailed(f"{path} is not there: {what_to_do}") from None
    except OSError as error:
        raise OperationFailed(
            f"{path} cannot be read: {error.strerror}; run this as its owner, or {what_to_do}"
        ) from error
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        raise OperationFailed(f"{path} is neither a folder nor a regular file: {what_to_do}")


def open_reader(data_dir: Path | None, log: str | None) -> LogReader:
    """The log that the options name.

    Raises:
        OperationFailed: the file cannot be read, or there is no room to unpack it; or it is a
            stream, and the package for that is not installed.
        ConfigError: it is no address of a stream.
        ExportRefused, ExportDamaged: it is no binary export, or it was changed since.
        LogMissing, LogDamaged, LogUnavailable: from the reader.
    """
    address = stream_in(log)
    if address is not None:
        return _copied(address)
    path = log_path(data_dir, log)
    return _unpacked(path) if path.is_file() else LogReader(path)


def _unpacked(path: Path) -> LogReader:
    """The log in an exported file, in a temporary folder that is deleted with the reader."""
    from nc.history.export.binary import unpack

    temporary = tempfile.TemporaryDirectory(prefix=_UNPACKED)
    try:
        with bar("unpacking") as progress:
            unpack(path, Path(temporary.name), progress)
        reader = LogReader(temporary.name)
    except BaseException as error:
        temporary.cleanup()
        if isinstance(error, OSError):
            raise OperationFailed(
                f"{path} cannot be unpacked: {error.strerror}; it must be readable, and fit into "
                f"{tempfile.gettempdir()} (the variable TMPDIR names another folder)"
            ) from error
        raise
    weakref.finalize(reader, temporary.cleanup)  # also when the program ends
    return reader


def _copied(address: str) -> LogReader:
    """The log in a stream, in a temporary folder that is kept up to date until the command ends."""
    parsed = stream_address("--log", address)
    from eventlog.jetstream.reading import KeptCopy

    temporary = tempfile.TemporaryDirectory(prefix=_UNPACKED)
    try:
        copy = KeptCopy(parsed, Path(temporary.name))
        reader = LogReader(temporary.name)
    except BaseException:
        temporary.cleanup()
        raise

    def end() -> None:
        copy.close()
        temporary.cleanup()

    weakref.finalize(reader, end)
    return reader


def is_unpacked(folder: Path) -> bool:
    """Whether the folder is a temporary one, of an unpacked file, deleted at the command's end."""
    home = Path(tempfile.gettempdir())
    return folder.parent == home and folder.name.startswith(_UNPACKED)


@contextmanager
def progress_to(
    reader: LogReader, doing: str, *, prints: bool = False
) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, moved by the sequence numbers that were reached; elsewhere nothing.

    Nothing either if a result is printed there meanwhile (`prints`): the bar would wrap its lines.
    The garbage collector is off meanwhile: what is read stays, or is freed without a search.
    """
    start = reader.start.last_seq
    with gc_disabled(), bar(doing, prints=prints) as progress:
        total = reader.last_seq - start if sys.stderr.isatty() else 0
        yield lambda seq: progress(seq - start, total)


@contextmanager
def bar(doing: str, *, prints: bool = False) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal, moved by the part done and the total; elsewhere nothing."""
    if not sys.stderr.isatty() or (prints and sys.stdout.isatty()):
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns,
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
    ) as progress:
        task = progress.add_task(doing, total=None)
        shown = 0

        def show(done: int, total: int) -> None:
            nonlocal shown
            if (done - shown) * _STEPS >= total or done < shown:
                progress.update(task, completed=done, total=total)
                shown = done

        yield show
