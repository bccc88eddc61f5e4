"""`network-controller log at` and `log diff`: the state at a moment; what changed between two."""

import json
from collections.abc import Sequence
from itertools import takewhile
from typing import Annotated, Any

import typer

from eventlog import LogReader
from nc.cli.entrypoint import OperationFailed
from nc.cli.log.changes import sentences
from nc.cli.log.source import DataDirOption, LogOption, open_reader, progress_to
from nc.cli.moment_args import MOMENT_HELP, unless_help
from nc.cli.options import Output, OutputOption
from nc.cli.time_args import point_named
from nc.clock import SystemClock
from nc.domain.names import shown_name
from nc.history.as_of import StateAt, states_at
from nc.history.diff import differences
from nc.history.events import Point, history
from nc.history.state_fields import state_fields
from nc.text import cells, expiry_text, filled, iso_time, moment, printable


def at(
    point: Annotated[
        str, typer.Argument(metavar="SEQ|TIME", help=MOMENT_HELP, callback=unless_help)
    ] = "now",
    data_dir: DataDirOption = None,
    log: LogOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Print the state as it is, or was after an event or at a moment: nodes, tokens, addresses.

    Example: network-controller log at 2026-11-20T15:00 --data-dir ./data
    """
    reader = open_reader(data_dir, log)
    place = point_named(point)
    ((state, at_ns),) = _states(reader, place)
    seq = state.seq
    if place.at_ns is not None:
        at_ns = place.at_ns
    elif place == Point():
        at_ns = max(SystemClock().now_ns(), at_ns or 0)  # a clock may have been put back
    now_ns = _first_at_ns(reader) if at_ns is None else at_ns
    described = state_fields(state, now_ns)
    if output is Output.JSON:
        typer.echo(json.dumps(described))
        return
    typer.echo(f"after event {seq}, at {iso_time(now_ns)}, in {state.addresses.network}")
    _print_state(described)


def _print_state(described: dict[str, Any]) -> None:
    names = {n["node_id"]: shown_name(n["name"], n["node_id"]) for n in described["nodes"]}
    nodes = [
        (names[n["node_id"]], n["node_id"], n["state"], n["address"], _ending(n), n["token_id"])
        for n in described["nodes"]
    ]
    columns = ("name", "node", "state", "address", "expires", "bootstrap token")
    _print("nodes", columns, nodes)
    tokens = [
        (each["label"], each["token_id"], _ending(each), _uses(each), str(each["nodes"]))
        for each in described["tokens"]
    ]
    _print("bootstrap tokens", ("label", "token", "expires", "uses", "nodes"), tokens)
    held = [
        (each["address"], names.get(each["node_id"], ""), each["node_id"])
        for each in described["addresses"]
    ]
    _print("addresses", ("address", "name", "node"), held)
    administrators = [
        (each["name"], each["role"], each["serial"], _revocable(each, moment(each["ends_at_ms"])))
        for each in described["administrators"]
    ]
    _print("administrators", ("name", "role", "certificate", "ends"), administrators)


def diff(
    first: Annotated[str, typer.Argument(metavar="A", help=MOMENT_HELP, callback=unless_help)],
    second: Annotated[
        str,
        typer.Argument(metavar="B", help="As A, and not before it.", callback=unless_help),
    ] = "now",
    data_dir: DataDirOption = None,
    log: LogOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Print what changed between two moments: nodes, tokens, states, addresses.

    Example: network-controller log diff -2h -1h --data-dir ./data
    """
    reader = open_reader(data_dir, log)
    points = point_named(first), point_named(second)
    before, after = (then.state for then in _states(reader, *points))
    start, end = before.seq, after.seq
    if start > end:
        raise typer.BadParameter(f"A is event {start}, after B, event {end}: exchange them")
    with progress_to(reader, "comparing") as progress:
        between = takewhile(lambda each: each.seq <= end, history(reader, start, progress))
        found = differences(before, after, between)
    if output is Output.JSON:
        typer.echo(json.dumps({"from_seq": start, "to_seq": end, **found._asdict()}))
        return
    typer.echo(f"from event {start} to event {end}")
    for line in sentences(found, before, after):
        typer.echo(f"  {printable(line)}")


def _states(reader: LogReader, *points: Point) -> list[StateAt]:
    """The states at places of the log.

    Raises:
        OperationFailed: the log does not have one of them.
    """
    start_seq = reader.start.last_seq
    with progress_to(reader, "reading") as progress:
        found = states_at(reader, points, progress)
    for point, then in zip(points, found, strict=True):
        seq, at_ns = point
        if seq is not None and seq > then.state.seq:
            raise OperationFailed(
                f"event {seq} is not in the log, which ends at event {then.state.seq}"
            )
        is_early = start_seq > 0 and at_ns is not None and then.at_ns is None
        if is_early or (seq is not None and seq < start_seq):
            raise OperationFailed(
                f"that is before this slice of a log, which begins with event {start_seq + 1}"
            )
    return found


def _first_at_ns(reader: LogReader) -> int:
    """When the first event was recorded, the time of the state before it; 0: there is none."""
    first = next(history(reader), None)
    return 0 if first is None else first.entry.recorded_at_ns


def _ending(described: dict[str, Any]) -> str:
    expired = ", expired" if described["expired"] else ""
    return _revocable(described, expiry_text(described["expires_at_ms"]) + expired)


def _revocable(described: dict[str, Any], text: str) -> str:
    return f"{text}, revoked" if described.get("revoked") else text


def _uses(token: dict[str, Any]) -> str:
    """How often it was used, and how often it may be: `3 of 5`."""
    return f"{token['uses']} of {token['max_uses']}" if token["max_uses"] else str(token["uses"])


def _print(title: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print a table, and how long it is. By hand, since rich takes a minute for 100,000 rows."""
    if not rows:
        typer.echo(f"{title}: none")
        return
    texts = [columns, *(tuple(map(printable, row)) for row in rows)]
    widths = [max(map(cells, column)) for column in zip(*texts, strict=True)]
    lines = ("  ".join(map(filled, row, widths)).rstrip() for row in texts)
    typer.echo("\n".join([f"{title}: {len(rows)}", *lines]))
