"""`ncadm events`: the event log of a server, read and followed from anywhere."""

import contextlib
import json
import sys
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from nc.cli.log.render import text_format
from nc.cli.ncadm import render
from nc.cli.ncadm.completion import complete_kinds, complete_nodes
from nc.cli.ncadm.references import references
from nc.cli.ncadm.session import client_of
from nc.cli.options import NO_EVENTS, Document, DocumentOption, FromOption
from nc.cli.time_args import point_named
from nc.contract import LARGEST_UINT32
from nc.domain.codec.records import Recorded
from nc.history.events import Point
from nc.history.fields import KIND_NAMES, json_fields
from nc.pb import events_pb2
from nc.secrets import is_id

if TYPE_CHECKING:
    from nc.client.blocking import Client
    from nc.client.reports import LoggedEvent

_LAST: Final = 50
_KINDS: Final = {text.lower(): kind for kind, name in KIND_NAMES.items() for text in (kind, name)}


def events(
    context: typer.Context,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="New events too, until Ctrl-C.")
    ] = False,
    last: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=LARGEST_UINT32,
            metavar="N",
            help="Only the newest N. Default: 50; with --from: all from there on.",
        ),
    ] = None,
    start: FromOption = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Only events until then.")
    ] = None,
    node: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NODE",
            autocompletion=complete_nodes,
            help="Only about this node; may be given repeatedly.",
        ),
    ] = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option(
            "--type",
            metavar="KIND",
            autocompletion=complete_kinds,
            help="Only this kind, such as NodeRegistered; may be given repeatedly.",
        ),
    ] = None,
    actor: Annotated[
        str, typer.Option(help="Only by this actor: eve, certificate:, a serial, system.")
    ] = "",
    output: DocumentOption = Document.TABLE,
) -> None:
    """Print events, and follow new ones.

    The newest 50, or those from a moment on; in order, times in UTC. After a broken connection
    --follow goes on where it was.

    Example: ncadm events --follow --type StateChanged --node pi-3
    """
    since = Point() if start is None else point_named(start, "--from ")
    until = Point() if end is None else point_named(end, "--to ")
    if until.seq is not None:
        raise typer.BadParameter("it takes a time", param_hint="--to")
    if follow and end is not None:
        raise typer.BadParameter("--follow has no end: drop --to")
    given: dict[str, Any] = {
        "nodes": references(node) if node else (),
        "kinds": [_kind(text) for text in kinds or ()],
        "actor": actor,
        "since": _moment(since),
        "until": _moment(until),
    }
    line_of = _line_format(output)
    with client_of(context) as client, contextlib.suppress(KeyboardInterrupt):
        given["nodes"] = [_id_of(client, each) for each in given["nodes"]]
        reached = client.events.last_seq()
        is_any = False
        if start is None:
            count = _LAST if last is None else last
            is_any |= _print(_newest(client, reached, count, given), line_of)
        elif since != Point():
            # What is recorded meanwhile is left to the watch, so that nothing is printed twice.
            found = client.events.read(from_seq=since.seq or 0, **given)
            there = (event for event in found if event.seq <= reached)
            is_any |= _print(there if last is None else deque(there, maxlen=last), line_of)
        if not (is_any or follow) and output is Document.TABLE:
            typer.echo(NO_EVENTS, err=True)
        if follow:
            begin = max(reached + 1, since.seq or 0)
            _print(client.events.watch(begin, **given), line_of, flush=True)


def _id_of(client: "Client", node: str) -> str:
    """The id of a node, which may be gone: the log is searched for it then."""
    from nc.client.errors import NotFound

    if is_id(node):
        return node
    try:
        return client.nodes.get(node).id
    except NotFound:
        return client.history.why(node).node_id


def _newest(
    client: "Client", reached: int, count: int, given: dict[str, Any]
) -> "list[LoggedEvent]":
    if not (count and reached):
        return []
    found = client.events.read(
        from_seq=reached, newest_first=True, page_size=min(count, 1000), **given
    )
    return list(islice(found, count))[::-1]


def _print(
    found: "Iterable[LoggedEvent]",
    line_of: "Callable[[LoggedEvent], str]",
    *,
    flush: bool = False,
) -> bool:
    """Print events; whether there were any."""
    is_any = False
    for event in found:
        is_any = True
        sys.stdout.write(f"{line_of(event)}\n")
        if flush:
            sys.stdout.flush()
    sys.stdout.flush()
    return is_any


def _line_format(output: Document) -> "Callable[[LoggedEvent], str]":
    """One line for each event; for YAML a document."""
    if output is Document.JSON:
        return lambda event: json.dumps(event_fields(event))
    if output is Document.YAML:
        return lambda event: f"---\n{render.as_data(event_fields(event), output)}"
    as_text = text_format()
    return lambda event: as_text(recorded(event), event.node_name)


def event_fields(event: "LoggedEvent") -> dict[str, Any]:
    """An event as `network-controller log show --output json` has it, and its node's name."""
    fields = json_fields(recorded(event))
    return {**fields, "node_name": event.node_name} if event.node_name else fields


def recorded(event: "LoggedEvent") -> Recorded:
    """An event as those that were read from a log."""
    entry = events_pb2.Entry(
        recorded_at_ns=event.recorded_at_ns,
        actor=event.actor,
        method=event.method,
        request_id=event.request_id,
    )
    return Recorded(event.seq, entry, event.event)


def _kind(text: str) -> str:
    try:
        return _KINDS[text.lower()]
    except KeyError:
        raise typer.BadParameter(
            f"--type {text!r} is no kind of event: use {', '.join(KIND_NAMES.values())}"
        ) from None


def _moment(point: Point) -> datetime | None:
    if point.at_ns is None:
        return None
    return datetime.fromtimestamp(point.at_ns / 1e9, UTC)
