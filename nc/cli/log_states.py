"""`network-controller log at` and `log diff`: the state as it was, and what became of it."""

import json
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from eventlog import LogReader
from nc.cli.log_names import history, point_named
from nc.cli.log_source import DataDirOption, LogOption, open_reader
from nc.cli.printing import Output, iso_time, printable
from nc.cli.running import OperationFailed
from nc.domain.errors import moment
from nc.domain.expiry import has_passed
from nc.domain.presence import link_of
from nc.domain.state import State
from nc.history import Difference, Recorded, differences, seq_of, state_at
from nc.projections import evolve

# `-2h` is a moment, not options; it would be read as -2 and -h.
MOMENTS: Final = {"ignore_unknown_options": True, "help_option_names": ["--help"]}

# Wider than any table: ids are to be copied whole, also from a narrow terminal.
_WIDTH: Final = 1000

_POINT_HELP = "A sequence number, 2026-11-20T15:00 (UTC), or -2h."
OutputOption = Annotated[Output, typer.Option(help="For people, or one JSON object.")]


def at(
    point: Annotated[str, typer.Argument(metavar="SEQ|TIME", help=_POINT_HELP)],
    data_dir: DataDirOption = None,
    log: LogOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Print the state as it was after an event, or at a moment: nodes, tokens, addresses.

    Example: network-controller log at 2026-11-20T15:00 --data-dir ./data
    """
    reader = open_reader(data_dir, log)
    seq = _seq(reader, point)
    state = state_at(history(reader), seq)
    now_ns = point_named(point).at_ns
    if now_ns is None:
        now_ns = _recorded_at_ns(reader, seq)
    described = _described(state, now_ns)
    if output is Output.JSON:
        typer.echo(json.dumps(described))
        return
    console = Console(highlight=False, width=_WIDTH)
    console.print(f"after event {seq}, at {iso_time(now_ns)}, in {state.addresses.network}")
    nodes = [
        (n["node_id"], n["state"], n["address"], _ending(n), n["token_id"])
        for n in described["nodes"]
    ]
    _print(console, "nodes", ("node", "state", "address", "expires", "bootstrap token"), nodes)
    tokens = [(token["token_id"], _ending(token)) for token in described["tokens"]]
    _print(console, "bootstrap tokens", ("token", "expires"), tokens)
    held = [(each["address"], each["node_id"]) for each in described["addresses"]]
    _print(console, "addresses", ("address", "node"), held)


def diff(
    first: Annotated[str, typer.Argument(metavar="A", help=_POINT_HELP)],
    second: Annotated[str, typer.Argument(metavar="B", help="As A, and not before it.")],
    data_dir: DataDirOption = None,
    log: LogOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Print what changed between two moments: who came, went, moved, flapped.

    Example: network-controller log diff -2h -1h --data-dir ./data
    """
    reader = open_reader(data_dir, log)
    start, end = _seq(reader, first), _seq(reader, second)
    if start > end:
        raise typer.BadParameter(f"A is event {start}, after B, event {end}: exchange them")
    before = state_at(history(reader), start)
    between = list(takewhile(lambda each: each.seq <= end, history(reader, start)))
    found = differences(before, evolve(before, (each.event for each in between)), between)
    if output is Output.JSON:
        typer.echo(json.dumps({"from_seq": start, "to_seq": end, **found._asdict()}))
        return
    typer.echo(f"from event {start} to event {end}")
    for line in _sentences(found):
        typer.echo(f"  {printable(line)}")


def _sentences(found: Difference) -> Iterable[str]:
    changes = [
        *(f"node {node_id} came" for node_id in found.came),
        *(f"node {node_id} went" for node_id in found.went),
        *(f"node {node_id} came and went" for node_id in found.passed_through),
        *(
            f"node {node_id} moved from {old or 'no address'} to {new or 'no address'}"
            for node_id, (old, new) in found.moved.items()
        ),
        *(f"node {node_id} was {old}, is {new}" for node_id, (old, new) in found.changed.items()),
        *(
            f"node {node_id} flapped: it lost its link and was CONNECTED again, {times} times"
            for node_id, times in found.flapped.items()
        ),
        *(
            f"node {node_id} expires {_at(new)} instead of {_at(old)}"
            for node_id, (old, new) in found.expiries.items()
        ),
        *(f"bootstrap token {token_id} was issued" for token_id in found.tokens_came),
        *(f"bootstrap token {token_id} was forgotten" for token_id in found.tokens_went),
    ]
    return changes or ["nothing changed"]


def _at(expires_at_ms: int) -> str:
    return moment(expires_at_ms) if expires_at_ms else "never"


def _seq(reader: LogReader, text: str) -> int:
    """The last event that had happened at a place that somebody named.

    Raises:
        OperationFailed: the log does not reach it.
    """
    point = point_named(text)
    seq = seq_of(history(reader), point)
    if point.seq is not None and seq < point.seq:
        raise OperationFailed(f"event {point.seq} is not in the log, which ends at event {seq}")
    return seq


def _recorded_at_ns(reader: LogReader, seq: int) -> int:
    at_event: Recorded | None = next(history(reader, max(seq - 1, 0)), None)
    return 0 if at_event is None else at_event.entry.recorded_at_ns


def _described(state: State, now_ns: int) -> dict[str, Any]:
    now_ms = now_ns // 1_000_000
    return {
        "seq": state.seq,
        "time": iso_time(now_ns),
        "network": str(state.addresses.network),
        "nodes": [
            {
                "node_id": node_id,
                "state": link_of(state.presence, node_id).state.name,
                "address": state.addresses.address_of(node_id),
                "expires_at_ms": node.expires_at_ms,
                "expired": has_passed(node.expires_at_ms, now_ms),
                "token_id": node.token_id,
            }
            for node_id, node in sorted(state.nodes.items())
        ],
        "tokens": [
            {
                "token_id": token_id,
                "expires_at_ms": token.expires_at_ms,
                "expired": has_passed(token.expires_at_ms, now_ms),
            }
            for token_id, token in sorted(state.tokens.items())
        ],
        "addresses": [
            {"address": address, "node_id": node_id}
            for address, node_id in sorted(
                (binding.address, node_id) for node_id, binding in state.addresses.by_node.items()
            )
        ],
    }


def _ending(described: dict[str, Any]) -> str:
    expired = ", expired" if described["expired"] else ""
    return _at(described["expires_at_ms"]) + expired


def _print(
    console: Console, title: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]
) -> None:
    """A table, and how long it is."""
    if not rows:
        console.print(f"{title}: none")
        return
    table = Table(title=f"{title}: {len(rows)}", title_justify="left", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console.print(table)
