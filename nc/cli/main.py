"""`network-controller`: the service and its log."""

from pathlib import Path
from typing import NoReturn

import typer

from nc.cli.check.app import check
from nc.cli.demo import demo
from nc.cli.entrypoint import run, version_option
from nc.cli.fsm import fsm
from nc.cli.join import join, join_as_configured
from nc.cli.links import links
from nc.cli.log import app as log
from nc.cli.serve import ConfigOption, serve
from nc.server import settings as config

PROGRAM = "network-controller"

app = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def network_controller(
    context: typer.Context,
    config_file: ConfigOption = None,
    version: bool = version_option(PROGRAM),
) -> None:
    """Let machines into an overlay network, know where they are, and tell why.

    Example: network-controller serve --data-dir ./data

    With --config FILE and no command, start what the file describes.
    """
    del version
    if context.invoked_subcommand is None and config_file is None:
        context.fail("name a command, or a configuration file with --config")
    elif context.invoked_subcommand is None and config_file is not None:
        _start_configured(config_file)
    elif config_file is not None:
        context.fail("--config goes without a command, or after serve")


def _start_configured(path: Path) -> None:
    """Start the server or the node that a file describes."""
    file = config.load(path)
    if file.mode == "client":
        join_as_configured(path, file)
    else:
        serve(config_file=path)


app.command()(serve)
app.command()(join)
app.command()(demo)
app.command()(links)
app.command()(fsm)
app.command()(check)
app.add_typer(log.app, name="log")


def main() -> NoReturn:
    """Run the program."""
    run(app, PROGRAM)
