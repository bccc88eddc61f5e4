"""`network-controller log …`: reads a log back. Only `log repair --apply` changes anything.

Each command's module is imported when the command runs.
"""

from typing import Any, ClassVar

import typer

from nc.cli.lazy import LazyGroup
from nc.cli.moment_args import MOMENT_SETTINGS
from nc.cli.options import Output, OutputOption


class LogCommands(LazyGroup):
    """Commands that read a log; an error about damage gets the advice of `log repair`."""

    table: ClassVar = {
        "info": (
            "Print how long the log is, what is in it, how large it is, and its head.",
            "nc.cli.log.info:info",
        ),
        "show": (
            "Print the events in order, times in UTC. A server may be running.",
            "nc.cli.log.show:show",
        ),
        "verify": (
            "Verify every byte, every state and every snapshot; exit with 3 if something is wrong.",
            "nc.cli.log.verify:verify",
        ),
        "replay": (
            "Play the history on a terminal: nodes as they change, forwards and back.",
            "nc.cli.log.replay:replay",
        ),
        "at": (
            (
                "Print the state as it is, or was after an event or at a moment: nodes, tokens, "
                "addresses."
            ),
            "nc.cli.log.states:at",
        ),
        "diff": (
            "Print what changed between two moments: nodes, tokens, states, addresses.",
            "nc.cli.log.states:diff",
        ),
        "why": (
            "Explain how a node, an address or a token came to its state, and by whom.",
            "nc.cli.log.why:why",
        ),
        "export": ("Write the log, or a part of it, into one file.", "nc.cli.log.export:export"),
        "move": (
            "Move the log from a folder to a stream of NATS JetStream, or back.",
            "nc.cli.log.move:move",
        ),
        "repair": (
            "Say what can be saved of a damaged log, and what is lost; with --apply, do it.",
            "nc.cli.log.repair:repair",
        ),
    }

    settings: ClassVar = {"at": MOMENT_SETTINGS, "diff": MOMENT_SETTINGS}

    def invoke(self, ctx: Any) -> Any:
        from eventlog.errors import LogDamaged, LogMissing
        from nc.cli.signals import ended_in_order

        try:
            with ended_in_order():
                return super().invoke(ctx)
        except (LogDamaged, LogMissing) as error:
            from nc.cli.log.damage import explained

            raise explained(error) from error


app = typer.Typer(cls=LogCommands, add_completion=False, rich_markup_mode=None)


@app.callback()
def read_back(output: OutputOption = Output.TEXT) -> None:
    """Read the event log back, of a running server or from a copy; repair one that is damaged.

    Example: network-controller log show --data-dir ./data
    """
    del output
