"""`network-controller check`: the options of a search for broken laws."""

import math
from pathlib import Path
from typing import Annotated

import typer

from nc.certificate_files import FolderPaths
from nc.cli.check.targets import IN_PROCESS, PROCESS, SIM
from nc.cli.options import Output, OutputOption, PlaintextOption
from nc.cli.server_address import ServerAddress
from nc.client.contexts import Context
from nc.contract import LARGEST_UINT32, LARGEST_UINT64
from nc.data_folder import DATA_DIR_VARIABLE, DataFolder, default_data_dir


def check(
    target: Annotated[
        str,
        typer.Option(
            metavar="TARGET",
            help=f"{IN_PROCESS}; {SIM}, a simulated cluster with agents and a network; "
            f"{PROCESS}, a server that is started and killed, with nodes' links to it; or the "
            "HOST:PORT of a running server's control port, "
            "by calls only; the search leaves it as it was.",
        ),
    ] = IN_PROCESS,
    examples: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=LARGEST_UINT32,
            metavar="N",
            help="How many trials. Default: 200, or 20 by network, or 100 of a simulation.",
        ),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(metavar="M", help="Search for so long instead.")
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            min=0,
            max=LARGEST_UINT64,
            metavar="S",
            help="The same seed gives the same search, in process and simulated.",
        ),
    ] = 0,
    cacert: Annotated[
        Path | None, typer.Option(help="The gRPC CA's certificate, PEM, for HOST:PORT.")
    ] = None,
    cert: Annotated[Path | None, typer.Option(help="The admin's certificate, PEM.")] = None,
    key: Annotated[Path | None, typer.Option(help="The key of --cert, PEM.")] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            envvar=DATA_DIR_VARIABLE,
            help="The server's data folder, where the three are if it "
            f"is on this machine. Default: {default_data_dir()}",
        ),
    ] = None,
    plaintext: PlaintextOption = False,
    bootport: Annotated[
        int | None,
        typer.Option(
            min=1, max=65_535, help="Its bootstrap port. Default: the one that it answers."
        ),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a JUnit report, a case for each law.")
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help=f"With {SIM}, where to leave the log of what breaks a law. Default: a new "
            "temporary folder.",
        ),
    ] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Search for a broken law; exit with 1 if one is found.

    Prints how often each law was exercised, and the smallest history that breaks one.

    Example: network-controller check --target in-process --examples 500 --seed 7
    """
    if minutes is not None and not (examples is None and 0 < minutes < math.inf):
        raise typer.BadParameter(
            "expected more than 0, and no --examples beside it", param_hint="--minutes"
        )
    if target in {IN_PROCESS, SIM, PROCESS} and (cacert or cert or key or bootport or plaintext):
        raise typer.BadParameter(
            f"{target} makes its own; --cacert, --cert, --key, --bootport and --plaintext go with "
            "HOST:PORT",
            param_hint="--target",
        )
    from nc.cli.check import search

    if target == SIM:
        search.run_simulation(examples, minutes or 0, seed, junit, keep, output)
        return
    if keep is not None:
        raise typer.BadParameter(f"it goes with --target {SIM}", param_hint="--keep")
    paths = FolderPaths.within(DataFolder(data_dir or default_data_dir()).grpc_pki)
    host, port = _place(target)
    context = Context(
        host,
        port,
        cacert or paths.ca,
        cert or paths.client,
        key or paths.client_key,
        plaintext=plaintext,
    )
    search.run(target, context, bootport, examples, minutes or 0, seed, junit, output)


def _place(target: str) -> tuple[str, int]:
    """The host and port of a target that is a running server."""
    if target in {IN_PROCESS, PROCESS}:
        return "", 0
    try:
        address = ServerAddress.parse(target or "none")
    except ValueError as error:
        raise typer.BadParameter(
            f"expected {IN_PROCESS}, {SIM}, {PROCESS} or HOST:PORT", param_hint="--target"
        ) from error
    return address.host, address.port
