"""How nodes and tokens are named on a command line: an id, the beginning of one, a name, a secret.

A token is a secret that others can read there (`ps`): it is overwritten once it was read, and can
come from the standard input (`-`) or a file instead.
"""

from pathlib import Path
from typing import Annotated

import typer

from nc.cli.ncadm.completion import complete_nodes, complete_tokens
from nc.cli.pasted import read_token
from nc.cli.token_args import secret_text
from nc.text import unwrapped

_NODE_HELP = (
    "A node's id or the beginning of it, its name, its overlay address, or its token; - reads it "
    "from the standard input."
)

NodeArgument = Annotated[
    str | None, typer.Argument(metavar="NODE", help=_NODE_HELP, autocompletion=complete_nodes)
]
NodesArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="NODE", help=_NODE_HELP, autocompletion=complete_nodes),
]
TokenArgument = Annotated[
    str,
    typer.Argument(
        metavar="TOKEN",
        help="The id or the beginning of it, or the token; - reads it from the standard input.",
        autocompletion=complete_tokens,
    ),
]
TokenIdOption = Annotated[
    str,
    typer.Option(
        "--token-id",
        metavar="ID",
        help="The nodes that redeemed this bootstrap token; the beginning of its id is enough.",
        autocompletion=complete_tokens,
    ),
]


def reference(text: str | None, token_file: Path | None = None, what: str = "NODE") -> str:
    """What names a node or a token.

    Raises:
        typer.BadParameter: nothing does, or two things do.
    """
    (only,) = references([text] if text is not None else [], token_file, what)
    return only


def references(texts: list[str], token_file: Path | None = None, what: str = "NODE") -> list[str]:
    """What names nodes, at least one; `-` and files may hold several, one on each line."""
    if token_file is not None and texts:
        raise typer.BadParameter(f"--token-file and {what} both name it: drop one of them")
    given = [secret_text(text, None, "", what) for text in texts] or [
        secret_text(None, token_file, "", what)
    ]
    lines = [line for text in given if text for line in text.splitlines() if line.strip()]
    if not lines:
        raise typer.BadParameter("an id, a name, an address or a token is missing", param_hint=what)
    return [_read(line) for line in lines]


def _read(line: str) -> str:
    try:
        return read_token(line)
    except ValueError:
        return unwrapped(line)  # an imported token may have capitals; the server knows what it is
