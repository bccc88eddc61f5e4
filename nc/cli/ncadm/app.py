"""The commands of `ncadm`, and the options before them that say where the server is."""

from pathlib import Path
from typing import Annotated, ClassVar

import typer

from nc.certificate_files import FolderPaths
from nc.cli.lazy import HELP_OPTIONS, LazyGroup
from nc.cli.ncadm.connection import Connection
from nc.cli.options import Output, OutputOption, version_option
from nc.cli.server_address import DEFAULT_IP, read_host
from nc.contract import DEFAULT_BOOTSTRAP_PORT, DEFAULT_GRPC_PORT
from nc.data_folder import DATA_DIR_VARIABLE, DataFolder, default_data_dir


class Commands(LazyGroup):
    """Each group's module is imported when one of its commands runs."""

    table: ClassVar = {
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
        "unregister": (
            "Remove a node for good.",
            "nc.cli.ncadm.nodes:unregister",
        ),
        "take-back": (
            "Register nodes again that an older log does not know.",
            "nc.cli.ncadm.nodes:take_back",
        ),
        "check-health": (
            "Ask whether the server can do its work.",
            "nc.cli.ncadm.server:check_health",
        ),
        "set-expiry": (
            "Set when nodes' tokens expire.",
            "nc.cli.ncadm.nodes:set_expiry",
        ),
    }


app = typer.Typer(
    cls=Commands,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=HELP_OPTIONS,
)


@app.callback()
def ncadm(
    context: typer.Context,
    ip: Annotated[
        str | None, typer.Option(help=f"The server's address. Default: {DEFAULT_IP}")
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Its control port.")] = (
        DEFAULT_GRPC_PORT
    ),
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
            f"Default: {default_data_dir()}",
        ),
    ] = None,
    plaintext: Annotated[
        bool, typer.Option("--plaintext", help="For a server that runs with --plaintext.")
    ] = False,
    output: OutputOption = Output.TEXT,
    version: bool = version_option("ncadm"),
) -> None:
    """Administer a network controller.

    Example: ncadm --ip 192.0.2.7 create-bootstrap-token --life 10
    """
    del version
    paths = FolderPaths.within(DataFolder(data_dir or default_data_dir()).grpc_pki)
    context.obj = Connection(
        None if ip is None else _host(ip),
        port,
        bootport,
        cacert or paths.ca,
        cert or paths.client,
        key or paths.client_key,
        plaintext,
        output,
    )


def _host(ip: str) -> str:
    try:
        return read_host(ip)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--ip") from None
