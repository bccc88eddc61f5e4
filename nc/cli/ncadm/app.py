"""The commands of `ncadm`, and the options before them that say where the server is."""

from pathlib import Path
from typing import Annotated, ClassVar

import typer

from nc.cli.lazy import HELP_OPTIONS, LazyGroup
from nc.cli.moment_args import MOMENT_SETTINGS
from nc.cli.ncadm.completion import complete_contexts
from nc.cli.ncadm.connection import Connection
from nc.cli.ncadm.where import options_of
from nc.cli.options import AnyOutput, AnyOutputOption, PlaintextOption, version_option
from nc.cli.server_address import DEFAULT_IP
from nc.client.contexts import CONTEXT_VARIABLE
from nc.contract import DEFAULT_BOOTSTRAP_PORT, DEFAULT_GRPC_PORT
from nc.data_folder import DATA_DIR_VARIABLE, default_data_dir


class Commands(LazyGroup):
    """Each group's module is imported when one of its commands runs."""

    table: ClassVar = {
        "nodes": (
            "List, show, rename, label and unregister nodes.",
            "nc.cli.ncadm.groups.nodes:app",
        ),
        "tokens": ("Issue, list and revoke bootstrap tokens.", "nc.cli.ncadm.groups.tokens:app"),
        "admins": (
            "Issue, list and revoke operators' certificates.",
            "nc.cli.ncadm.groups.admins:app",
        ),
        "replicas": (
            "List, invite and remove servers that share the log.",
            "nc.cli.ncadm.groups.replicas:app",
        ),
        "status": ("Print how the server is, and what is degraded.", "nc.cli.ncadm.status:status"),
        "links": (
            "Print the links of nodes, the other servers, and what was dropped.",
            "nc.cli.ncadm.status:links",
        ),
        "events": ("Print events, and follow new ones.", "nc.cli.ncadm.events:events"),
        "why": ("Explain how a node came to its state.", "nc.cli.ncadm.history:why"),
        "at": ("Print the state as it was at a moment.", "nc.cli.ncadm.history:at"),
        "diff": ("Print what changed between two moments.", "nc.cli.ncadm.history:diff"),
        "console": ("Show the server in your browser, live.", "nc.cli.ncadm.console:console"),
        "contexts": (
            "Keep addresses of servers, each by a name.",
            "nc.cli.ncadm.groups.contexts:app",
        ),
        "create-bootstrap-token": (
            "Get a token that machines can join with.",
            "nc.cli.ncadm.tokens:create_bootstrap_token",
        ),
        "get-token": (
            "Register a node, and write its certificates.",
            "nc.cli.ncadm.tokens:get_token",
        ),
        "check-conn-state": (
            "Print a node's state and its address.",
            "nc.cli.ncadm.nodes:check_conn_state",
        ),
        "get-registed-ip": (
            "Print the overlay address that a node holds.",
            "nc.cli.ncadm.nodes:get_registed_ip",
        ),
        "unregister": ("Remove a node for good.", "nc.cli.ncadm.nodes:unregister"),
        "take-back": (
            "Register nodes again that an older log does not know.",
            "nc.cli.ncadm.nodes:take_back",
        ),
        "check-health": (
            "Ask whether the server can do its work.",
            "nc.cli.ncadm.server:check_health",
        ),
        "set-expiry": ("Set when nodes' tokens expire.", "nc.cli.ncadm.nodes:set_expiry"),
    }

    settings: ClassVar = {"at": MOMENT_SETTINGS, "diff": MOMENT_SETTINGS}


app = typer.Typer(
    cls=Commands,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=HELP_OPTIONS,
)


@app.callback()
def ncadm(
    ctx: typer.Context,
    ip: Annotated[
        str | None,
        typer.Option(help=f"The server's address. Default: the context's, or {DEFAULT_IP}"),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65_535, help=f"Its control port. Default: {DEFAULT_GRPC_PORT}"),
    ] = None,
    bootport: Annotated[
        int | None,
        typer.Option(
            min=1, max=65_535, help=f"Its bootstrap port. Default: {DEFAULT_BOOTSTRAP_PORT}"
        ),
    ] = None,
    cacert: Annotated[Path | None, typer.Option(help="The gRPC CA's certificate, PEM.")] = None,
    cert: Annotated[Path | None, typer.Option(help="The admin's certificate, PEM.")] = None,
    key: Annotated[Path | None, typer.Option(help="The key of --cert, PEM.")] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            envvar=DATA_DIR_VARIABLE,
            help="The server's data folder, where the three files are looked for. "
            f"Default: the context's files, or {default_data_dir()}",
        ),
    ] = None,
    context: Annotated[
        str | None,
        typer.Option(
            envvar=CONTEXT_VARIABLE,
            autocompletion=complete_contexts,
            help="One of your contexts. Default: the one chosen with ncadm contexts use",
        ),
    ] = None,
    plaintext: PlaintextOption = False,
    output: AnyOutputOption = AnyOutput.TEXT,
    version: bool = version_option("ncadm"),
) -> None:
    """Administer a network controller.

    A node is named by its id or the beginning of it, its name, its overlay address, or its token.

    Example: ncadm --ip 192.0.2.7 nodes list
    """
    del ip, port, bootport, cacert, cert, key, data_dir, context, plaintext, output, version
    ctx.obj = Connection(options_of(ctx))
