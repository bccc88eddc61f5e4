"""`ncadm nodes list` and `show`."""

from collections.abc import Callable
from datetime import datetime
from itertools import islice
from typing import Annotated, Final

import typer

from nc.cli.ncadm import render
from nc.cli.ncadm.references import NodeArgument, TokenIdOption, reference
from nc.cli.ncadm.render import Column, labels_text, second, second_utc
from nc.cli.ncadm.session import client_of, shown
from nc.cli.options import Document, DocumentOption, Format, FormatOption, WatchOption, value_of
from nc.cli.token_args import TokenFileOption
from nc.client.types import Link, Node, NodeOrder, NodeState
from nc.clock import SystemClock, now_utc
from nc.contract import LARGEST_UINT32
from nc.durations import parse_duration

_ID_DIGITS: Final = 12  # enough to tell nodes apart

_NO_NODES: Final = "there are no nodes yet: ncadm tokens issue gets a token that machines join with"

_STATES: Final = (NodeState.IDLE, NodeState.INIT, NodeState.CONNECTED)


def name_of(node: Node) -> str:
    """What a node is called; those that an older version registered have no name."""
    return node.name or node.id[:8]


def _expiry(node: Node, text: Callable[[datetime | None], str] = second) -> str:
    return text(node.expires_at) + (", expired" if node.expired else "")


COLUMNS: Final[tuple[Column[Node], ...]] = (
    Column("name", name_of),
    Column("state", lambda node: node.state),
    Column("address", lambda node: node.address),
    Column("id", lambda node: node.id[:_ID_DIGITS], rank=1),
    Column("since (UTC)", lambda node: second(node.state_since, ""), rank=2),
    Column("hostname", lambda node: node.facts.hostname, rank=5),
    Column("labels", lambda node: labels_text(node.labels), rank=3),
    Column("expires (UTC)", _expiry, rank=4),
    Column("certificates end (UTC)", lambda node: second(node.certificates_end, ""), rank=6),
    Column("agent", lambda node: node.facts.agent_version, rank=7),
    Column("note", lambda node: node.note, rank=8),
)


def list_nodes(
    context: typer.Context,
    state: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STATE",
            autocompletion=lambda: [*_STATES],
            help="idle, init or connected; may be given repeatedly.",
        ),
    ] = None,
    selector: Annotated[
        str,
        typer.Option(
            "--selector", "-l", metavar="LABELS", help="site=berlin, site!=berlin, site, !site, …"
        ),
    ] = "",
    search: Annotated[
        str, typer.Option(metavar="TEXT", help="In the name, hostname, note, id or address.")
    ] = "",
    token_id: TokenIdOption = "",
    ending: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="Whose certificates end within 30d, say, and cannot be renewed.",
        ),
    ] = None,
    order: Annotated[NodeOrder, typer.Option(help="What they are sorted by.")] = NodeOrder.NAME,
    descending: Annotated[bool, typer.Option("--descending", help="The other way round.")] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, max=LARGEST_UINT32, help="At most so many.")
    ] = None,
    watch: WatchOption = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """List nodes: all, or those that fit.

    Example: ncadm nodes list --state connected --selector site=berlin
    """
    states = [_state(text) for text in state or ()]
    is_filtered = states or selector or search or token_id or ending
    none = "there are no such nodes" if is_filtered else _NO_NODES
    with value_of("--ending"):
        within = None if ending is None else parse_duration(ending)
    with client_of(context) as client:

        def text() -> str:
            until = None if within is None else now_utc(SystemClock()) + within
            found = client.nodes.list(
                states=states,
                selector=selector,
                text=search,
                token_id=token_id,
                unrenewable_until=until,
                order=order,
                descending=descending,
            )
            nodes = list(islice(found, limit))
            return render.listed(nodes, COLUMNS, output, name_of, none)

        shown(text, watch=watch)


def _state(text: str) -> NodeState:
    if text.upper() not in _STATES:
        states = ", ".join(state.lower() for state in _STATES)
        raise typer.BadParameter(f"{text!r} is no state: use {states}", param_hint="--state")
    return NodeState(text.upper())


def show(
    context: typer.Context,
    node: NodeArgument = None,
    token_file: TokenFileOption = None,
    output: DocumentOption = Document.TABLE,
) -> None:
    """Print all that is known of a node.

    Example: ncadm nodes show pi-3
    """
    named = reference(node, token_file)
    with client_of(context) as client:
        typer.echo(node_text(client.nodes.get(named), output))


def node_text(node: Node, output: Document) -> str:
    if output is not Document.TABLE:
        return render.as_data(render.plain(node), output)
    facts, kept = node.facts, "assigned, " if node.address_assigned else ""
    rows = [
        ("name", node.name),
        ("id", node.id),
        ("state", f"{node.state} since {second_utc(node.state_since, 'an unknown time')}"),
        ("address", f"{node.address} ({kept}overlay)" if node.address else "none yet"),
        ("labels", labels_text(node.labels)),
        ("note", node.note),
        ("registered", second_utc(node.registered_at, "")),
        ("bootstrap token", node.token_id),
        ("expires", _expiry(node, second_utc)),
        ("certificates end", _certificates(node)),
        ("hostname", facts.hostname),
        ("system", " ".join(filter(None, (facts.os, facts.architecture)))),
        ("agent", facts.agent_version),
        ("peer address", facts.peer_address),
        ("links", str(node.links)),
    ]
    return render.fields([*rows, *(_link_rows(node.link) if node.link else ())])


def _certificates(node: Node) -> str:
    if node.certificates_end is None:
        return ""
    renewed = "the node renews them" if node.renewable else "they cannot be renewed"
    return f"{second_utc(node.certificates_end)}; {renewed}"


def _link_rows(link: Link) -> list[tuple[str, str]]:
    dropped = ", ".join(f"{why.replace('_', ' ')}: {n:,}" for why, n in link.dropped.items())
    return [
        ("link", f"{link.link_id} from {link.peer} since {second_utc(link.opened_at, '?')}"),
        ("  in", f"{link.packets_in:,} packets, {link.bytes_in:,} bytes"),
        ("  out", f"{link.packets_out:,} packets, {link.bytes_out:,} bytes"),
        ("  dropped", dropped),
    ]
