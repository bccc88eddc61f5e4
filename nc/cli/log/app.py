"""`network-controller log …`: reads a log back. Only `log repair --apply` changes anything."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Annotated, Final

import typer
from rich.console import Console

from eventlog import LogReader, Record
from nc.cli.log.damage import ReadingCommands
from nc.cli.log.export import export
from nc.cli.log.filters import (
    EVERYTHING,
    ActorOption,
    AddressOption,
    Filter,
    FromOption,
    KindsOption,
    NodeOption,
    ToOption,
)
from nc.cli.log.info import info
from nc.cli.log.names import filter_named, names_in
from nc.cli.log.repair import repair
from nc.cli.log.replay import replay
from nc.cli.log.source import DataDirOption, LogOption, log_path, open_reader
from nc.cli.log.states import MOMENTS, at, diff
from nc.cli.log.verify import verify
from nc.cli.log.why import why
from nc.cli.options import Output
from nc.cli.render import json_line, text_line
from nc.clock import SystemClock
from nc.history.events import Point, events_of

Display = Callable[[Record], None]

_LATE_S: Final = 1  # an event is in the log a moment after the time that it was recorded at

app = typer.Typer(cls=ReadingCommands, add_completion=False, rich_markup_mode=None)


@app.callback()
def read_back() -> None:
    """Read the event log back, of a running server or from a copy; repair one that is damaged.

    Example: network-controller log show --data-dir ./data
    """


app.command()(info)


@app.command()
def show(
    data_dir: DataDirOption = None,
    log: LogOption = None,
    after: Annotated[
        int, typer.Option(metavar="SEQ", min=0, help="Only events after this sequence number.")
    ] = 0,
    node: NodeOption = None,
    address: AddressOption = None,
    actor: ActorOption = None,
    kinds: KindsOption = None,
    start: FromOption = None,
    end: ToOption = None,
    output: Annotated[
        Output, typer.Option(help="For people, or one JSON object a line.")
    ] = Output.TEXT,
    follow: Annotated[
        bool,
        typer.Option("--follow", "-f", help="Go on with what is appended, to --to or Ctrl-C."),
    ] = False,
) -> None:
    """Print the events in order, times in UTC. A server may be running.

    Example: network-controller log show --data-dir ./data --type StateChanged --from -2h
    """
    if follow and log_path(data_dir, log).is_file():
        raise typer.BadParameter("--follow: a file that was exported does not grow")
    reader = open_reader(data_dir, log)
    chosen = filter_named(
        names_in(reader, data_dir, log),
        node=node,
        address=address,
        actor=actor,
        kinds=kinds,
        start=start,
        end=end,
    )
    after = max(after, (chosen.start.seq or 1) - 1)  # what comes before need not be readable
    display = displayer(Console(highlight=False), output, after, chosen)
    if follow:
        wait_s = None if end is None else _seconds_to(chosen.end)
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_follow(reader, after, display, chosen.end, wait_s))
    else:
        _show(reader, after, display, chosen.end)


app.command()(verify)
app.command()(replay)
app.command(context_settings=MOMENTS)(at)
app.command(context_settings=MOMENTS)(diff)
app.command()(why)
app.command()(export)
app.command()(repair)


def displayer(
    console: Console, output: Output, after: int = 0, chosen: Filter = EVERYTHING
) -> Display:
    """What prints a record's events: those chosen after a sequence number."""

    def display(record: Record) -> None:
        for recorded in events_of(record):
            if recorded.seq <= after or not chosen.chooses(recorded):
                continue
            if output is Output.JSON:
                typer.echo(json_line(recorded))
            else:
                console.print(text_line(recorded), soft_wrap=True)

    return display


def _show(reader: LogReader, after: int, display: Display, end: Point) -> None:
    for record in reader.read(after):
        display(record)
        if _is_last(record, end):
            return


async def _follow(
    reader: LogReader, after: int, display: Display, end: Point, wait_s: float | None
) -> None:
    try:
        async with asyncio.timeout(wait_s):
            async for record in reader.follow(after):
                display(record)
                after = record.last_seq
                if _is_last(record, end):
                    return
    except TimeoutError:  # what is there by now is all that there will be
        _show(reader, after, display, end)


def _is_last(record: Record, end: Point) -> bool:
    """Whether nothing behind it is asked for, and so need not be readable."""
    return end.seq is not None and record.last_seq >= end.seq


def _seconds_to(end: Point) -> float | None:
    """How long to wait for events up to there; None: until they come."""
    if end.seq is not None:
        return None
    if end.at_ns is None:
        return 0
    return (end.at_ns - SystemClock().now_ns()) / 1_000_000_000 + _LATE_S
