"""`network-controller log why`: explains one node, address, token or invitation."""

import json
from typing import Annotated

import typer

from nc.cli.entrypoint import OperationFailed
from nc.cli.log.query import Names, address_named, is_address, names_in, reference
from nc.cli.log.source import DataDirOption, LogOption, open_reader, progress_to
from nc.cli.options import Output, OutputOption
from nc.clock import SystemClock, now_ms
from nc.contract import SERVER_NODE_TOKEN
from nc.domain.state import State
from nc.history.as_of import nearest
from nc.history.events import Point, field_of, history
from nc.history.explain import Line, Target, explain, now_line
from nc.history.fields import json_fields
from nc.history.fold import RunningState
from nc.text import printable, time_text


def why(
    thing: Annotated[
        str,
        typer.Argument(
            metavar="NODE|ADDRESS|TOKEN",
            help="An id or the beginning of one, a node's name, an overlay address, or a token, "
            "which is hashed at once; - reads it from the standard input.",
        ),
    ],
    data_dir: DataDirOption = None,
    log: LogOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Explain how a node, an address or a token came to its state, and by whom.

    Times are in UTC.

    Example: network-controller log why 10.1.1.3 --data-dir ./data
    """
    reader = open_reader(data_dir, log)
    target = _target(names_in(reader, data_dir, log), reference(thing))
    fold = RunningState(nearest(reader, [Point(seq=reader.last_seq)]))
    with progress_to(reader, "reading") as progress:
        lines = list(explain(fold.through(history(reader, progress=progress)), target))
    server = _server_line(fold.state, target)
    is_known = lines or target.kind != "address" or fold.state.addresses.holder_of(target.id)
    if not (is_known or server):
        raise OperationFailed(
            f"nothing in this log is about {target.kind} {target.id}; `log at` lists what there is"
        )
    name = _name_of(lines) if target.kind == "node" else ""
    now = server or now_line(fold.state, target, now_ms(SystemClock()))
    first_seq = reader.start.last_seq + 1
    if output is Output.JSON:
        events = [{**json_fields(each.recorded), "text": each.text} for each in lines]
        typer.echo(
            json.dumps({**target._asdict(), "first_seq": first_seq, "events": events, "now": now})
        )
        return
    typer.echo(printable(" ".join(filter(None, (target.kind, name, target.id)))))
    if first_seq > 1:
        typer.echo(f"    ...  what was before event {first_seq} is not in this slice of a log")
    for recorded, text, by in lines:
        when = time_text(recorded.entry.recorded_at_ns)
        typer.echo(f"{recorded.seq:>7}  {when}  " + printable(f"{text}; by {by}"))
    typer.echo(f"    now  {printable(now)}")


def _name_of(lines: list[Line]) -> str:
    """The last name that the events give to the node that they are about."""
    names = [field_of(each.recorded.event, "name") for each in lines]
    return next(filter(None, reversed(names)), "")


def _target(names: Names, text: str) -> Target:
    if is_address(text):
        return Target("address", address_named(text))
    if text == SERVER_NODE_TOKEN:
        return Target("node", text)
    known = names.known()
    if by_name := known.names.get(text.lower()):
        return Target("node", by_name)
    every = known.nodes | known.tokens | known.invitations
    found = names.resolve(text, "node, bootstrap token or invitation", every)
    if found in known.invitations:
        return Target("invitation", found)
    return Target("node" if found in known.nodes else "token", found)


def _server_line(state: State, target: Target) -> str | None:
    """The server's own node as a sentence; None: the target is neither that nor its address."""
    address = state.addresses.network.server_address
    if target in (Target("node", SERVER_NODE_TOKEN), Target("address", address)):
        return f"{SERVER_NODE_TOKEN} is the server's own node: always CONNECTED, with {address}"
    return None
