"""The commands of `network-controller`."""

from pathlib import Path
from typing import ClassVar

import typer

from nc.cli.lazy import HELP_OPTIONS, LazyGroup
from nc.cli.options import ConfigOption, DebugOption, Output, OutputOption, version_option


class Commands(LazyGroup):
    """Each command's module is imported when the command runs."""

    table: ClassVar = {
        "serve": ("Run the server, until SIGTERM or Ctrl-C.", "nc.cli.serve:serve"),
        "join": ("Join a network, and stay connected until SIGTERM or Ctrl-C.", "nc.cli.join:join"),
        "import-litekube": (
            "Import the nodes, addresses and bootstrap tokens of an upstream LiteKube server.",
            "nc.cli.import_litekube:import_litekube",
        ),
        "demo": (
            "Run three nodes through their life, then print the event log.",
            "nc.cli.demo.app:demo",
        ),
        "links": ("Show the links of a running server.", "nc.cli.links:links"),
        "fsm": ("Print the state machine of a connection as a Mermaid diagram.", "nc.cli.fsm:fsm"),
        "check": (
            "Search for a broken law; exit with 1 if one is found.",
            "nc.cli.check.app:check",
        ),
        "log": (
            "Read the event log back, of a running server or from a copy.",
            "nc.cli.log.app:app",
        ),
    }


app = typer.Typer(
    cls=Commands,
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=HELP_OPTIONS,
)


@app.callback()
def network_controller(
    context: typer.Context,
    config_file: ConfigOption = None,
    debug: DebugOption = False,
    output: OutputOption = Output.TEXT,
    version: bool = version_option("network-controller"),
) -> None:
    """Admit machines to an overlay network, track their state, and explain it from the log.

    Example: network-controller serve --data-dir ./data

    With --config FILE and no command, start what the file describes.
    """
    del version, output
    if context.invoked_subcommand is None and config_file is None:
        context.fail("name a command, or a configuration file with --config")
    elif context.invoked_subcommand is None and config_file is not None:
        _start(config_file, debug=debug)
    elif config_file is not None:
        context.fail("--config goes without a command, or after serve")
    elif debug:
        context.fail("--debug goes with --config, or after serve or join")


def _start(path: Path, *, debug: bool) -> None:
    """Start the server or the node that a configuration file describes."""
    from nc.cli.config_file import load

    file = load(path)
    if file.mode == "client":
        from nc.cli.join import join_as_configured

        join_as_configured(path, file, debug=debug)
    else:
        from nc.cli.serve import serve

        serve(config_file=path, debug=debug)
