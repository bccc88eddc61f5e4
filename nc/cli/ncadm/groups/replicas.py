"""`ncadm replicas …`: the servers that share a log."""

from datetime import timedelta
from typing import Annotated, ClassVar, Final

import typer

from nc.cli.lazy import LazyGroup
from nc.cli.ncadm import render
from nc.cli.ncadm.completion import complete_replicas
from nc.cli.ncadm.connection import print_result
from nc.cli.ncadm.render import Column, second, second_utc
from nc.cli.ncadm.session import client_of, confirm
from nc.cli.options import (
    AnyOutput,
    AnyOutputOption,
    Document,
    DocumentOption,
    Format,
    FormatOption,
    YesOption,
    value_of,
)
from nc.cli.streams import require_stdout
from nc.client.replicas import IssuedInvitation, Replica, ReplicaInvitation
from nc.durations import parse_duration
from nc.text import printable


class ReplicasCommands(LazyGroup):
    table: ClassVar = {
        "list": ("List the servers that share the log.", f"{__name__}:list_replicas"),
        "invite": ("Let one other machine become a server of this cluster.", f"{__name__}:invite"),
        "remove": ("Refuse a server from now on, or withdraw an invitation.", f"{__name__}:remove"),
    }


app = typer.Typer(cls=ReplicasCommands, add_completion=False, rich_markup_mode=None)


def state_of(replica: Replica) -> str:
    return "lost" if replica.lost else replica.state


def _shown(value: object) -> str:
    return "" if value is None else str(value)


COLUMNS: Final[tuple[Column[Replica], ...]] = (
    Column("id", lambda each: each.id + (" *" if each.self else "")),
    Column("state", state_of),
    Column("role", lambda each: _shown(each.role)),
    Column("since (UTC)", lambda each: second(each.ended or each.since, ""), rank=1),
    Column("lag", lambda each: _shown(each.lag_events), rank=2, is_number=True),
    Column("links", lambda each: f"{each.links:,}", rank=3, is_number=True),
    Column("address", lambda each: _shown(each.address), rank=3),
    Column("version", lambda each: each.version, rank=4),
    Column("level", lambda each: _shown(each.level), rank=6, is_number=True),
    Column("session", lambda each: ", ".join(each.sessions), rank=5),
)


def _redeemer(invitation: ReplicaInvitation) -> str:
    where = f" from {invitation.peer_address}" if invitation.peer_address else ""
    return f"{invitation.replica_id}{where}" if invitation.replica_id else ""


INVITATION_COLUMNS: Final[tuple[Column[ReplicaInvitation], ...]] = (
    Column("id", lambda each: each.id),
    Column("expires (UTC)", lambda e: second(e.expires_at) + (", expired" if e.expired else "")),
    Column("redeemed by", _redeemer),
    Column("redeemed (UTC)", lambda each: second(each.redeemed_at, ""), rank=1),
    Column("issued (UTC)", lambda each: second(each.issued_at, ""), rank=2),
)


@app.callback()
def replicas(output: AnyOutputOption = AnyOutput.TEXT) -> None:
    """List, invite and remove servers that share the log.

    Example: ncadm replicas invite
    """
    del output


def list_replicas(
    context: typer.Context,
    every: Annotated[
        bool, typer.Option("--all", "-a", help="Removed ones too, and invitations that are over.")
    ] = False,
    invitations: Annotated[
        bool, typer.Option("--invitations", help="The invitations instead of the servers.")
    ] = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """List the servers that share the log. The one that answers has a *.

    One that is stopped has said so; one that is lost was killed, or nobody heard it any more. The
    time is that of the start, of one that does not run that of its end.

    Example: ncadm replicas list
    """
    with client_of(context) as client:
        if invitations:
            open_ones = client.replicas.invitations(all=every)
            text = render.listed(
                open_ones, INVITATION_COLUMNS, output, lambda e: e.id, "there are no invitations"
            )
        else:
            found = client.replicas.list(all=every)
            text = render.listed(found, COLUMNS, output, lambda each: each.id, "there are none")
    render.echo(text)


def invite(
    context: typer.Context,
    lifetime: Annotated[
        str,
        typer.Option(metavar="DURATION", help="For how long: 10m, 2h, 7d at most."),
    ] = "1h",
    output: DocumentOption = Document.TABLE,
) -> None:
    """Let one other machine become a server of this cluster.

    Prints the command line that does it there. Its code is worth every key of the cluster, until it
    is used, which it can be once. Others reach that machine at its address on its default route;
    where they do not, add --advertise IP to the line.

    Example: ncadm replicas invite --lifetime 10m
    """
    duration = _lifetime(lifetime)
    require_stdout()
    with client_of(context) as client:
        issued = client.replicas.invite(lifetime=duration)
    print_result(_issued_text(issued, output))


def _issued_text(issued: IssuedInvitation, output: Document) -> str:
    invitation, command = issued.invitation, issued.serve_command
    if output is not Document.TABLE:
        more = {"invitation": invitation, "serve_command": command}
        return render.as_data({**render.plain(issued), **more}, output)
    expires = second_utc(issued.issued.expires_at)
    return f"invite: {invitation}\nexpires: {expires}\nid: {issued.issued.id}\nserve: {command}"


def _lifetime(text: str) -> timedelta:
    with value_of("--lifetime"):
        if duration := parse_duration(text):
            return duration
        raise ValueError("more than no time")


def remove(
    context: typer.Context,
    replica: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="A server's id, or an invitation's, or the first 4 digits of that or more.",
            autocompletion=complete_replicas,
        ),
    ],
    yes: YesOption = False,
    output: DocumentOption = Document.TABLE,
) -> None:
    """Refuse a server from now on, or withdraw an invitation.

    What the machine was given it still has: to lock out one that was stolen, make the cluster anew.

    Example: ncadm replicas remove server-c
    """
    confirm(f"Remove {printable(replica)}?", yes=yes)
    with client_of(context) as client:
        removed = client.replicas.remove(replica)
    if output is not Document.TABLE:
        text = render.as_data(render.plain(removed), output)
    elif isinstance(removed, Replica):
        text = f"removed: {removed.id}; it is refused until it is invited again"
    else:
        text = f"withdrawn: the invitation {removed.id}"
    print_result(text)
