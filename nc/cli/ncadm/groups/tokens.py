"""`ncadm tokens …`: bootstrap tokens."""

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

import typer

from nc.cli.entrypoint import OperationFailed
from nc.cli.lazy import LazyGroup
from nc.cli.ncadm import render
from nc.cli.ncadm.connection import print_result
from nc.cli.ncadm.label_args import label_pairs
from nc.cli.ncadm.references import TokenArgument, reference
from nc.cli.ncadm.render import Column, labels_text, second, second_utc
from nc.cli.ncadm.session import client_of, confirm, shown
from nc.cli.options import (
    AnyOutput,
    AnyOutputOption,
    Document,
    DocumentOption,
    Format,
    FormatOption,
    YesOption,
)
from nc.cli.streams import require_stdout
from nc.client.types import BootstrapToken, IssuedToken
from nc.contract import LARGEST_UINT32
from nc.durations import parse_duration
from nc.text import printable

if TYPE_CHECKING:
    from nc.client.blocking import Client

_ID_DIGITS: Final = 8  # enough to tell tokens apart


class TokensCommands(LazyGroup):
    table: ClassVar = {
        "issue": ("Get a token that machines can join with.", f"{__name__}:issue"),
        "list": ("List bootstrap tokens by their ids.", f"{__name__}:list_tokens"),
        "revoke": ("Refuse a bootstrap token from now on.", f"{__name__}:revoke"),
    }


app = typer.Typer(cls=TokensCommands, add_completion=False, rich_markup_mode=None)


def _ending(token: BootstrapToken) -> str:
    if token.revoked:
        return "revoked"
    return second(token.expires_at) + (", expired" if token.expired else "")


def _of(count: int, limit: int) -> str:
    return f"{count} of {limit}" if limit else str(count)


COLUMNS: Final[tuple[Column[BootstrapToken], ...]] = (
    Column("id", lambda token: token.id),
    Column("label", lambda token: token.label, rank=1),
    Column("expires (UTC)", _ending),
    Column("uses", lambda token: _of(token.uses, token.max_uses), rank=2),
    Column("nodes", lambda token: _of(token.nodes, token.max_nodes), rank=3),
    Column("issued (UTC)", lambda token: second(token.issued_at, ""), rank=4),
    Column("names", lambda token: token.node_name_prefix, rank=6),
    Column("labels of nodes", lambda token: labels_text(token.node_labels), rank=5),
)


@app.callback()
def tokens(output: AnyOutputOption = AnyOutput.TEXT) -> None:
    """Issue, list and revoke bootstrap tokens.

    Example: ncadm tokens issue --lifetime 10m --uses 1
    """
    del output


def issue(
    context: typer.Context,
    lifetime: Annotated[
        str, typer.Option(metavar="DURATION", help="90s, 10m, 2h, 30d, or never.")
    ] = "10m",
    uses: Annotated[
        int,
        typer.Option(
            min=0, max=LARGEST_UINT32, help="How many machines it registers; 0: any number."
        ),
    ] = 0,
    max_nodes: Annotated[
        int,
        typer.Option(
            min=0,
            max=LARGEST_UINT32,
            help="How many of its nodes there may be at one time; 0: any number.",
        ),
    ] = 0,
    label: Annotated[str, typer.Option(metavar="TEXT", help="What you call it.")] = "",
    node_label: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Its nodes begin with it; may be given repeatedly."),
    ] = None,
    name_prefix: Annotated[
        str, typer.Option(metavar="TEXT", help="The names of its nodes begin with it.")
    ] = "",
    output: DocumentOption = Document.TABLE,
) -> None:
    """Get a token that machines can join with.

    Prints the command line that a machine joins with.

    Example: ncadm tokens issue --lifetime 1h --uses 20 --name-prefix shop-12-
    """
    duration = _lifetime(lifetime)
    labels = _node_labels(node_label or ())
    require_stdout()
    with client_of(context) as client:
        issued = client.tokens.issue(
            lifetime=duration,
            max_uses=uses,
            max_nodes=max_nodes,
            label=label,
            node_labels=labels,
            node_name_prefix=name_prefix,
        )
    print_result(_issued_text(issued, output))


def _issued_text(issued: IssuedToken, output: Document) -> str:
    token, join = issued.invitation, issued.join_command
    if output is not Document.TABLE:
        more = {"join_token": token, "join_command": join}
        return render.as_data({**render.plain(issued), **more}, output)
    expires = second_utc(issued.issued.expires_at)
    return f"token: {token}\nexpires: {expires}\nid: {issued.issued.id}\njoin: {join}"


def _lifetime(text: str) -> timedelta | None:
    if text.strip().lower() in {"never", "forever"}:
        return None
    try:
        duration = parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}, or never", param_hint="--lifetime") from None
    if not duration:
        raise typer.BadParameter("more than no time", param_hint="--lifetime")
    return duration


def _node_labels(texts: Iterable[str]) -> dict[str, str]:
    pairs = label_pairs(texts)
    if "" in pairs:
        raise typer.BadParameter("expected KEY=VALUE", param_hint="--node-label")
    return pairs


def list_tokens(
    context: typer.Context,
    every: Annotated[
        bool, typer.Option("--all", "-a", help="Expired and revoked ones too, while remembered.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Again every two seconds, until Ctrl-C.")
    ] = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """List bootstrap tokens by their ids. The tokens themselves are not kept.

    Example: ncadm tokens list --all
    """
    with client_of(context) as client:

        def text() -> str:
            found = list(client.tokens.list(all=every))
            return render.listed(
                found, COLUMNS, output, lambda token: token.id, "there are no bootstrap tokens"
            )

        shown(text, watch=watch)


def revoke(
    context: typer.Context,
    token: TokenArgument,
    yes: YesOption = False,
    output: DocumentOption = Document.TABLE,
) -> None:
    """Refuse a bootstrap token from now on.

    The nodes that it registered stay: `ncadm nodes unregister --token-id ID` removes them.

    Example: ncadm tokens revoke bf2c046d
    """
    named = reference(token, None, "TOKEN")
    with client_of(context) as client:
        if not yes:
            confirm(_question(client, named), yes=False)
        revoked = client.tokens.revoke(named)
    if not revoked.revoked:
        raise OperationFailed(f"the server answers that {revoked.id} is not revoked")
    text = f"revoked: {revoked.id}"
    if revoked.nodes:
        them = "it" if revoked.nodes == 1 else "them"
        text += (
            f"; its {_stay(revoked.nodes)}: ncadm nodes unregister --token-id "
            f"{revoked.id[:_ID_DIGITS]} removes {them}"
        )
    print_result(
        text if output is Document.TABLE else render.as_data(render.plain(revoked), output)
    )


def _question(client: "Client", named: str) -> str:
    """What is asked before a token is revoked; the secret itself is not repeated."""
    found = [each for each in client.tokens.list(all=True) if each.id.startswith(named)]
    if len(found) != 1:
        return "Revoke this bootstrap token?"
    (token,) = found
    label = f" ({token.label})" if token.label else ""
    return printable(f"Revoke the bootstrap token {token.id}{label}? Its {_stay(token.nodes)}.")


def _stay(nodes: int) -> str:
    return "node stays" if nodes == 1 else f"{nodes} nodes stay"
