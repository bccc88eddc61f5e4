"""Which log a command reads, and how far it has come."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from eventlog import LogReader
from nc.cli.running import DATA_DIR_VARIABLE, default_data_dir
from nc.data_folder import DataFolder

DataDirOption = Annotated[
    Path | None,
    typer.Option(envvar=DATA_DIR_VARIABLE, help=f"The data folder. Default: {default_data_dir()}"),
]
LogOption = Annotated[
    Path | None,
    typer.Option(
        "--log",
        metavar="FOLDER",
        help="A log's own folder, such as a copy, instead of the data folder's.",
    ),
]


def log_folder(data_dir: Path | None, log: Path | None) -> Path:
    """The folder that is read."""
    return log or DataFolder(data_dir or default_data_dir()).log


def open_reader(data_dir: Path | None, log: Path | None) -> LogReader:
    """The log that the options name."""
    return LogReader(log_folder(data_dir, log))


@contextmanager
def progress_to(reader: LogReader, doing: str) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, told the sequence numbers that were reached; elsewhere nothing.

    Garbage is not looked for meanwhile: what is read stays, or is freed without a search.
    """
    console = Console(stderr=True)
    bar = Progress(
        TextColumn(doing),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    gc.disable()
    try:
        with bar:
            task = bar.add_task(doing, total=reader.last_seq if console.is_terminal else None)
            yield lambda seq: bar.update(task, completed=seq)
    finally:
        gc.enable()
