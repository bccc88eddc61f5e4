"""`network-controller log show`: prints the events in order, and follows new ones."""

import asyncio
import contextlib
import sys
from collections.abc import Callable
from itertools import takewhile
from typing import Annotated, Final

import typer

from eventlog import LogError, LogReader, Record
from nc.cli.log.filter_options import NO_OPTIONS, FilterOptions, takes_filter_options
from nc.cli.log.query import names_in
from nc.cli.log.render import text_format
from nc.cli.log.source import DataDirOption, LogOption, log_path, open_reader
from nc.cli.options import NO_EVENTS, Output, OutputOption
from nc.cli.stream_address import stream_in
from nc.clock import SystemClock
from nc.contract import LARGEST_UINT64
from nc.domain.codec.records import Recorded, events_of
from nc.history.as_of import BaseMissing, nearest
from nc.history.events import Point, history
from nc.history.fields import json_line
from nc.history.filters import Filter
from nc.history.fold import EMPTY_STATE
from nc.history.node_names import NodeNames

Display = Callable[[Record], bool]

_LATE_S: Final = 1  # an event is in the log a moment after the time that it was recorded at


@takes_filter_options
def show(
    data_dir: DataDirOption = None,
    log: LogOption = None,
    after: Annotated[
        int,
        typer.Option(
            metavar="SEQ", min=0, max=LARGEST_UINT64, help="Only events after this sequence number."
        ),
    ] = 0,
    options: FilterOptions = NO_OPTIONS,
    follow: Annotated[
        bool,
        typer.Option("--follow", "-f", help="Print new events too, until --to or Ctrl-C."),
    ] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Print the events in order, times in UTC. A server may be running.

    Example: network-controller log show --data-dir ./data --type StateChanged --from -2h
    """
    if follow and stream_in(log) is None and log_path(data_dir, log).is_file():
        raise typer.BadParameter("--follow: a file that was exported does not grow")
    reader = open_reader(data_dir, log)
    chosen = options.filter(names_in(reader, data_dir, log))
    after = max(after, (chosen.start.seq or 1) - 1)  # what comes before need not be readable
    display = displayer(output, after, chosen, _names_before(reader, after))
    if follow:
        wait_s = None if options.end is None else _seconds_to(chosen.end)
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_follow(reader, after, display, chosen.end, wait_s))
    elif not _show(reader, after, display, chosen.end) and output is Output.TEXT:
        typer.echo(NO_EVENTS, err=True)


def displayer(
    output: Output,
    after: int = 0,
    chosen: Filter | None = None,
    names: NodeNames | None = None,
) -> Display:
    """A function that prints a record's events, and says whether it had any to print.

    Args:
        output: as what.
        after: only those after this one,
        chosen: and of them only those.
        names: of nodes, as of `after`.
    """
    names = names or NodeNames(EMPTY_STATE)
    line_of = _json_line if output is Output.JSON else text_format()
    flushes = sys.stdout.isatty()

    def display(record: Record) -> bool:
        lines = [
            f"{line_of(recorded, name)}\n"
            for recorded in events_of(record)
            if recorded.seq > after
            for name in [names.follow(recorded)]
            if chosen is None or chosen.chooses(recorded)
        ]
        sys.stdout.write("".join(lines))
        if flushes:
            sys.stdout.flush()
        return bool(lines)

    return display


def _json_line(recorded: Recorded, _name: str) -> str:
    return json_line(recorded)


def _names_before(reader: LogReader, after: int) -> NodeNames:
    """What nodes were called before the first event that is shown.

    What comes before need not be readable: then only the names in the events shown are known.
    """
    try:
        names = NodeNames(base := nearest(reader, [Point(seq=after)]))
        for recorded in takewhile(lambda each: each.seq <= after, history(reader, base.seq)):
            names.follow(recorded)
    except (BaseMissing, LogError):
        return NodeNames(EMPTY_STATE)
    return names


def _show(reader: LogReader, after: int, display: Display, end: Point) -> bool:
    """Print what is there; whether anything was to be printed."""
    is_any = False
    for record in reader.read(after):
        is_any |= display(record)
        if _is_last(record, end):
            break
    return is_any


async def _follow(
    reader: LogReader, after: int, display: Display, end: Point, wait_s: float | None
) -> None:
    try:
        async with asyncio.timeout(wait_s):
            async for record in reader.follow(after):
                display(record)
                sys.stdout.flush()
                after = record.last_seq
                if _is_last(record, end):
                    return
    except TimeoutError:  # the time of --to has come: print what is there by now
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
