"""`network-controller demo`: a server in a temporary folder, the steps, and the event log."""

import tempfile
from pathlib import Path
from typing import Any

import structlog
from rich.console import Console

from eventlog import LogReader
from nc.cli.demo.steps import LOOPBACK, DemoClock, Script
from nc.cli.event_loop import run_async
from nc.cli.log.show import displayer
from nc.cli.options import Output
from nc.secrets import SystemSecrets
from nc.server.installation import serve_installation
from nc.server.settings import ServerSettings


def demo() -> None:
    """Run three nodes through their life, then print the event log.

    Starts a real server with TLS on free ports of 127.0.0.1, in a temporary folder, and ends by
    itself.

    Example: network-controller demo
    """
    run_async(_play(Console(highlight=False)))


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
