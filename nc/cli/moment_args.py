"""Commands whose arguments are moments: `-2h` is one, and no options.

Click would read it as the options -2 and -h; so unknown options are arguments there, and `-h` alone
comes as one, too.
"""

from typing import Any, Final

import typer

MOMENT_HELP: Final = "A sequence number, 2026-11-20T15:00 or 15:00 (UTC), -2h, or now."

# Of a command, instead of the usual ones.
MOMENT_SETTINGS: Final[dict[str, Any]] = {
    "ignore_unknown_options": True,
    "help_option_names": ["--help"],
}


def unless_help(context: typer.Context, text: str) -> str:
    """The argument, unless it asks for the help, which is printed."""
    if text == "-h":
        typer.echo(context.get_help())
        raise typer.Exit
    return text
