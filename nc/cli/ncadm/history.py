"""`ncadm at`, `diff` and `why`: the past, which the server computes from its log."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from nc.cli.moment_args import MOMENT_HELP, unless_help
from nc.cli.ncadm import render
from nc.cli.ncadm.completion import complete_nodes
from nc.cli.ncadm.events import event_fields
from nc.cli.ncadm.groups.nodes_shown import COLUMNS as NODE_COLUMNS
from nc.cli.ncadm.groups.tokens import COLUMNS as TOKEN_COLUMNS
from nc.cli.ncadm.references import reference
from nc.cli.ncadm.render import Column
from nc.cli.ncadm.session import client_of
from nc.cli.options import Document, DocumentOption
from nc.cli.time_args import point_named
from nc.client.types import NodeState
from nc.text import expiry_text, printable, time_text

if TYPE_CHECKING:
    from nc.client.reports import Difference, Explanation, PastState

MomentArgument = Annotated[
    str, typer.Argument(metavar="SEQ|TIME", help=MOMENT_HELP, callback=unless_help)
]


def _moment(text: str) -> int | datetime | None:
    point = point_named(text)
    if point.seq is not None or point.at_ns is None:
        return point.seq
    return datetime.fromtimestamp(point.at_ns / 1e9, UTC)


def at(
    context: typer.Context,
    moment: MomentArgument = "now",
    output: DocumentOption = Document.TABLE,
) -> None:
    """Print the state as it was at a moment.

    Example: ncadm at 2026-11-20T15:00
    """
    when = _moment(moment)
    with client_of(context) as client:
        past = client.history.at(when)
    if output is not Document.TABLE:
        typer.echo(render.as_data(render.plain(past), output))
        return
    typer.echo(f"{_place(past)}, in {printable(past.network)}")
    typer.echo(f"nodes: {len(past.nodes)}")
    if past.nodes:
        typer.echo(render.table(NODE_COLUMNS, past.nodes))
    typer.echo(f"bootstrap tokens: {len(past.tokens)}")
    if past.tokens:
        typer.echo(render.table(TOKEN_COLUMNS, past.tokens))


def _place(past: "PastState") -> str:
    if not past.seq:
        return "before the first event"
    recorded = render.second_utc(past.recorded_at, "an unknown time")
    return f"after event {past.seq}, recorded {recorded}"


def diff(
    context: typer.Context,
    first: Annotated[str, typer.Argument(metavar="A", help=MOMENT_HELP, callback=unless_help)],
    second: Annotated[
        str,
        typer.Argument(
            metavar="B", help="As A. Before it: what changed, backwards.", callback=unless_help
        ),
    ] = "now",
    output: DocumentOption = Document.TABLE,
) -> None:
    """Print what changed between two moments.

    Example: ncadm diff -2h -1h
    """
    start, end = _moment(first), _moment(second)
    with client_of(context) as client:
        found = client.history.diff(start, end)
    if output is not Document.TABLE:
        typer.echo(render.as_data(render.plain(found), output))
        return
    typer.echo(f"from event {found.from_seq} to event {found.to_seq}")
    if not found.differences:
        typer.echo("nothing changed")
        return
    typer.echo(render.table(_DIFFERENCES, found.differences))
    if found.more:
        typer.echo(f"and {found.more} more")


def _value(field: str, text: str) -> str:
    """A field's value as people read it: times are milliseconds there."""
    return expiry_text(int(text)) if field.endswith("_ms") and text.isdecimal() else text


_DIFFERENCES: Final[tuple[Column["Difference"], ...]] = (
    Column("what", lambda row: row.subject),
    Column("which", lambda row: row.name or row.id),
    Column("field", lambda row: row.field.removesuffix("_ms").replace("_", " ")),
    Column("before", lambda row: _value(row.field, row.before)),
    Column("after", lambda row: _value(row.field, row.after)),
)

_BEFORE_THE_GAP: Final = 10  # reasons, if the server leaves some out


def why(
    context: typer.Context,
    node: Annotated[
        str,
        typer.Argument(
            metavar="NODE",
            autocompletion=complete_nodes,
            help="Its id or the beginning of it, its name, its overlay address, or its token; - "
            "reads it from the standard input.",
        ),
    ],
    moment: Annotated[
        str, typer.Option("--at", metavar="SEQ|TIME", help="As of then. " + MOMENT_HELP)
    ] = "now",
    output: DocumentOption = Document.TABLE,
) -> None:
    """Explain how a node came to its state. Times are in UTC.

    Example: ncadm why pi-3 --at -2h
    """
    named, when = reference(node), _moment(moment)
    with client_of(context) as client:
        found = client.history.why(named, when)
    if output is not Document.TABLE:
        reasons = [{**event_fields(each.event), "text": each.sentence} for each in found.reasons]
        fields = {
            "node_id": found.node_id,
            "name": found.name,
            "state": found.state.value,
            "address": found.address,
            "seq": found.seq,
            "left_out": found.left_out,
            "events": reasons,
        }
        typer.echo(render.as_data(fields, output))
        return
    typer.echo(printable(f"node {found.name} {found.node_id}".replace("  ", " ")))
    for number, reason in enumerate(found.reasons):
        if found.left_out and number == _BEFORE_THE_GAP:
            typer.echo(f"    ...  {found.left_out} more")
        event = reason.event
        by = f"by {event.actor} ({event.method}, request {event.request_id})"
        typer.echo(
            printable(f"{event.seq:>7}  {time_text(event.recorded_at_ns)}  {reason.sentence}; {by}")
        )
    time_ = "now" if when is None else "then"
    typer.echo(printable(f"{time_:>7}  {_now(found)}, after event {found.seq}"))


def _now(found: "Explanation") -> str:
    if found.state == NodeState.UNKNOWN:
        return "the node is not registered"
    return f"{found.state}, {f'with {found.address}' if found.address else 'without an address'}"
