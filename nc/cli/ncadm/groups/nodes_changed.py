"""`ncadm nodes …`: what changes nodes."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from nc.cli.ncadm import render
from nc.cli.ncadm.connection import print_result
from nc.cli.ncadm.groups.nodes_shown import name_of, node_text
from nc.cli.ncadm.label_args import label_pairs
from nc.cli.ncadm.references import (
    NodeArgument,
    NodesArgument,
    TokenIdOption,
    reference,
    references,
)
from nc.cli.ncadm.session import client_of, confirm
from nc.cli.options import Document, DocumentOption, Format, FormatOption, YesOption, value_of
from nc.cli.time_args import parse_expiry
from nc.cli.token_args import TokenFileOption
from nc.clock import SystemClock, now_ms
from nc.text import expiry_text, printable

if TYPE_CHECKING:
    from nc.client.blocking import Client
    from nc.client.types import Node


def _show(node: "Node", sentence: str, output: Document) -> None:
    print_result(printable(sentence) if output is Document.TABLE else node_text(node, output))


def rename(
    context: typer.Context,
    node: NodeArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A DNS label: a-z, 0-9 and -.")],
    output: DocumentOption = Document.TABLE,
) -> None:
    """Give a node another name.

    Example: ncadm nodes rename 0748da73 pi-3
    """
    named = reference(node)
    with client_of(context) as client:
        changed = client.nodes.update(named, name=name)
        _show(changed, f"{changed.id} is called {changed.name}", output)


def label(
    context: typer.Context,
    node: NodeArgument,
    labels: Annotated[
        list[str], typer.Argument(metavar="KEY=VALUE|KEY-…", help="KEY- removes the label.")
    ],
    output: DocumentOption = Document.TABLE,
) -> None:
    """Set labels of a node, and remove some.

    Example: ncadm nodes label pi-3 site=berlin rack-
    """
    removed = [text[:-1] for text in labels if text.endswith("-") and "=" not in text]
    set_ = label_pairs(text for text in labels if "=" in text or not text.endswith("-"))
    if both := sorted(set_.keys() & set(removed)):
        raise typer.BadParameter(f"{both[0]!r} is set and removed: drop one of the two")
    named = reference(node)
    with client_of(context) as client:
        changed = client.nodes.update(named, set_labels=set_, remove_labels=removed)
        text = render.labels_text(changed.labels) or "no labels"
        _show(changed, f"{name_of(changed)} has {text}", output)


def note(
    context: typer.Context,
    node: NodeArgument,
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help='Instead of the one before; "" for none.')
    ],
    output: DocumentOption = Document.TABLE,
) -> None:
    """Write a note about a node.

    Example: ncadm nodes note pi-3 "behind the second door"
    """
    named = reference(node)
    with client_of(context) as client:
        changed = client.nodes.update(named, note=text)
        _show(changed, f"{name_of(changed)}: {changed.note or 'no note'}", output)


def assign(
    context: typer.Context,
    node: NodeArgument,
    address: Annotated[
        str,
        typer.Argument(
            metavar="ADDRESS|any",
            help="An odd and free IPv4 address of the overlay network; any: the node keeps what "
            "it has, and it may be reclaimed when the node is idle for long.",
        ),
    ],
    output: DocumentOption = Document.TABLE,
) -> None:
    """Give a node an overlay address of your choice.

    If the node is linked, it connects again with the new address.

    Example: ncadm nodes assign pi-3 10.1.1.7
    """
    named = reference(node)
    with client_of(context) as client:
        changed = client.nodes.assign_address(named, "" if address.lower() == "any" else address)
        _show(changed, f"{name_of(changed)} has {changed.address or 'no address yet'}", output)


def set_expiry(
    context: typer.Context,
    node: NodeArgument,
    at: Annotated[
        str,
        typer.Argument(
            metavar="TIME",
            help="never, +90m (s, m, h, d, w), 2026-11-20T15:00 (UTC), Unix seconds.",
        ),
    ],
    output: DocumentOption = Document.TABLE,
) -> None:
    """Set when a node expires.

    From then on its token is refused and its link is closed. A later time revives it.

    Example: ncadm nodes set-expiry pi-3 +30d
    """
    named = reference(node)
    with value_of("TIME"):
        expires_at_s = parse_expiry(at, now_ms(SystemClock()) // 1000)
        moment = datetime.fromtimestamp(expires_at_s, UTC) if expires_at_s else None
    with client_of(context) as client:
        changed = client.nodes.set_expiry(named, moment)
        _show(changed, f"{name_of(changed)} expires: {expiry_text(expires_at_s * 1000)}", output)


def unregister(
    context: typer.Context,
    nodes: NodesArgument = None,
    token_id: TokenIdOption = "",
    revoke_token: Annotated[
        bool, typer.Option("--revoke-token", help="With --token-id: revoke the token too.")
    ] = False,
    token_file: TokenFileOption = None,
    yes: YesOption = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """Remove nodes for good: those named, or all of one bootstrap token.

    Their links are closed, and their tokens and certificates are refused from then on.

    Example: ncadm nodes unregister --token-id bf2c046d --revoke-token
    """
    if token_id and (nodes or token_file):
        raise typer.BadParameter("name nodes, or give --token-id: not both")
    if revoke_token and not token_id:
        raise typer.BadParameter("it goes with --token-id", param_hint="--revoke-token")
    named = [] if token_id else references(nodes or [], token_file)
    with client_of(context) as client:
        if not yes:
            confirm(_question(client, named, token_id, revoke_token=revoke_token), yes=False)
        names = _names(client, named, token_id)
        if token_id:
            gone = client.nodes.unregister_all_of(token_id, revoke_token=revoke_token)
        else:
            gone = client.nodes.unregister(*named)
        if output is Format.TABLE:
            lines = [printable(f"unregistered: {names.get(each, '')}{each}") for each in gone]
            print_result("\n".join(lines) or "there is no node")
        elif output is Format.NAME:
            print_result("\n".join(gone))
        else:
            print_result(render.as_data({"node_ids": list(gone)}, output))


def _names(client: "Client", named: list[str], token_id: str) -> dict[str, str]:
    """What stands before the ids of the nodes that are meant: the name of each that has one."""
    found = client.nodes.states(token_id=token_id) if token_id else client.nodes.states(*named)
    return {each.id: f"{each.name} " for each in found if not each.id.startswith(each.name)}


def _question(client: "Client", named: list[str], token_id: str, *, revoke_token: bool) -> str:
    if token_id:
        count = client.nodes.count(token_id=token_id)
        nodes = "the one node" if count == 1 else f"all {count} nodes"
        revoked = ", and revoke it" if revoke_token else ""
        return printable(
            f"Unregister {nodes} of the bootstrap token {token_id}{revoked}, for good?"
        )
    names = ", ".join(name_of(client.nodes.get(each)) for each in named)
    return printable(f"Unregister {names} for good?")
