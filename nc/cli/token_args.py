"""Where tokens come from: an option, a file, the standard input, the environment.

Other users of a machine can read command lines (`ps`), and shells keep them. So each token can come
from elsewhere, and one that stands on the command line is overwritten there once it was read.
"""

import os
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from nc.cli.entrypoint import OperationFailed
from nc.cli.options import value_of
from nc.cli.pasted import read_node_token
from nc.small_files import read_small

BOOTSTRAP_TOKEN_VARIABLE: Final = "NC_BOOTSTRAP_TOKEN"  # noqa: S105 - its name
NODE_TOKEN_VARIABLE: Final = "NC_NODE_TOKEN"  # noqa: S105 - its name

_STDIN: Final = "-"
_FILE_OPTION: Final = "--token-file"
_LIMIT_BYTES: Final = 64 * 1024
_SHORTEST: Final = 12  # characters that are overwritten: what is shorter is no token
_ARGUMENTS_AT: Final = slice(45, 47)  # arg_start, arg_end (proc_pid_stat(5)), behind the name

TokenFileOption = Annotated[
    Path | None,
    typer.Option(
        _FILE_OPTION,
        metavar="FILE",
        help="Read the token from a file, - for the standard input: others can read command lines.",
    ),
]


def secret_text(
    text: str | None, file: Path | None, variable: str, option: str, file_option: str = _FILE_OPTION
) -> str | None:
    """The text with a token that was given; None: none was. It is no longer visible in `ps`.

    Args:
        text: of the command line; `-` is the standard input.
        file: of `file_option`.
        variable: of the environment, which is asked last.
        option: the name of `text`, for messages.
        file_option: likewise of `file`.

    Raises:
        typer.BadParameter: it is given twice.
        OperationFailed: the file cannot be read.
    """
    if text is not None and file is not None:
        raise typer.BadParameter(f"{file_option} and {option} both give one: drop one of them")
    if text == _STDIN or (file is not None and str(file) == _STDIN):
        return _decoded(sys.stdin.buffer.read(_LIMIT_BYTES), "the standard input")
    if file is not None:
        try:
            data = read_small(file, _LIMIT_BYTES, may_be_pipe=True)
        except OSError as error:
            raise OperationFailed(
                f"{file_option} {file} cannot be read: {error.strerror}; name the right file"
            ) from error
        return _decoded(data, str(file))
    if text is not None:
        hide(text)
        return text
    return os.environ.get(variable) or None


def _decoded(data: bytes, name: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = ""
    if not text.strip():
        raise OperationFailed(f"{name} holds no text; name what holds the right one")
    return text


def node_tokens(texts: list[str] | None, file: Path | None) -> list[str]:
    """The node tokens that a command was given, at least one.

    Raises:
        typer.BadParameter: there is none, or one is no token.
    """
    arguments: list[str | None] = list(texts) if texts else [None]
    given = [secret_text(each, file, NODE_TOKEN_VARIABLE, "--node-token") for each in arguments]
    lines = [line for text in given if text for line in text.splitlines() if line.strip()]
    if not lines:
        raise typer.BadParameter(
            f"give one with --node-token, --token-file FILE (- is the standard input), or "
            f"{NODE_TOKEN_VARIABLE}",
            param_hint="--node-token",
        )
    with value_of("--node-token"):
        return [read_node_token(line) for line in lines]


def hide(text: str) -> None:
    """Overwrite a text where the kernel shows this process's command line (/proc/PID/cmdline)."""
    import ctypes

    secret = os.fsencode(text)
    if len(secret) < _SHORTEST:
        return
    try:
        stat = Path("/proc/self/stat").read_text(encoding="utf-8")
    except OSError:  # no /proc: nothing to read it from either
        return
    start, end = map(int, stat.rpartition(")")[2].split()[_ARGUMENTS_AT])
    if not 0 < start < end:
        return
    shown = ctypes.string_at(start, end - start)
    at = shown.find(secret)
    while at >= 0:
        ctypes.memset(start + at, ord("*"), len(secret))
        at = shown.find(secret, at + len(secret))
