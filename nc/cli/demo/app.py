"""`network-controller demo`: a server in a temporary folder, the steps, and the event log."""

import logging
import tempfile
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer
from rich.console import Console

from eventlog import LogReader
from nc.cli.demo.steps import LOOPBACK, DemoClock, Script
from nc.cli.entrypoint import INTERRUPTED
from nc.cli.event_loop import run_async
from nc.cli.extras import require_extra
from nc.cli.log.show import displayer
from nc.cli.options import Output
from nc.cli.signals import ended_by_signal
from nc.secrets import SystemSecrets
from nc.server.installation import serve_installation
from nc.server.settings import ServerSettings


def demo(
    live: Annotated[
        bool,
        typer.Option("--console", help="Play it slowly, with the console beside it, until Ctrl-C."),
    ] = False,
    browser: Annotated[
        bool,
        typer.Option("--browser/--no-browser", help="Open the console in your browser."),
    ] = True,
    pause: Annotated[
        float,
        typer.Option(min=0, max=3600, metavar="SECONDS", help="Between two steps, with --console."),
    ] = 2.0,
) -> None:
    """Run three nodes through their life, then print the event log.

    Starts a real server with TLS on free ports of 127.0.0.1, in a temporary folder, and ends by
    itself; with --console, at Ctrl-C.

    Example: network-controller demo --console
    """
    output = Console(highlight=False)
    if not live:
        if run_async(ended_by_signal(_play(output))):
            raise typer.Exit(INTERRUPTED)
        return
    for package in ("starlette", "uvicorn"):
        require_extra("console", package)
    from nc.cli.demo.live import play

    for name in ("grpc", "nc.client"):  # what cannot be reached is shown on the page
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        run_async(play(output, pause, opens=browser))
    except SystemExit:
        if not output.quiet:  # rich is quiet, and exits, where the reader of a pipe has gone
            raise


async def _play(console: Console) -> None:
    clock = DemoClock()
    with tempfile.TemporaryDirectory(prefix="network-controller-demo-") as folder:
        settings = ServerSettings(
            data_dir=Path(folder) / "data",
            advertise=(LOOPBACK,),
            listen=LOOPBACK,
            grpc_port=0,
            bootstrap_port=0,
            link_port=0,
        )
        log = structlog.wrap_logger(structlog.ReturnLogger(), processors=[_silence])
        serving = serve_installation(settings, clock=clock, secrets=SystemSecrets(), logger=log)
        async with serving as (installation, server):
            await Script(installation, server, clock, console).run()
        console.print("\n[bold]The server has stopped. This is its event log:[/]\n")
        display = displayer(Output.TEXT)
        for record in LogReader(installation.folder.log).read():
            display(record)
    console.print(
        "\nNo token and no key is in there: ids stand for them. "
        "Read your own with [bold]network-controller log show[/]."
    )


def _silence(*_: object) -> Any:
    raise structlog.DropEvent
