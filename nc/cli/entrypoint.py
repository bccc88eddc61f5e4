"""How both programs run: errors are one line on stderr, and the exit code says what kind.

0  done
1  the operation failed
2  wrong usage: arguments, configuration
3  the log is damaged
"""

import asyncio
import errno
import io
import logging
import os
import sys
from collections.abc import Coroutine
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import typer
import uvloop

from eventlog import LogDamaged, LogError
from nc.agent.enrolment import NotOurServer, TokenRefused
from nc.agent.state import StateFolderError
from nc.client.channel import CallFailed
from nc.client.link_report import NoServer
from nc.domain.evolve import UnknownEvent
from nc.domain.invariants import InconsistentHistory
from nc.history.as_of import BaseMissing
from nc.history.export.binary import ExportDamaged, ExportRefused
from nc.net.sockets import PortUnavailable
from nc.net.tun import TunUnavailable
from nc.pki import PkiError
from nc.replica.errors import DiskFull
from nc.server.data_folder import DataFolderError
from nc.server.settings import ConfigError

T = TypeVar("T")

FAILED = 1
USAGE = 2
DAMAGED = 3

DATA_DIR_VARIABLE = "NC_DATA_DIR"


class OperationFailed(Exception):
    """What was asked for was refused; the text is for the user."""


_EXIT_CODES: tuple[tuple[type[Exception], int], ...] = (
    (LogDamaged, DAMAGED),
    (InconsistentHistory, DAMAGED),
    (ExportDamaged, DAMAGED),
    (ConfigError, USAGE),
    (LogError, FAILED),
    (DiskFull, FAILED),
    (UnknownEvent, FAILED),
    (BaseMissing, FAILED),
    (ExportRefused, FAILED),
    (PkiError, FAILED),
    (DataFolderError, FAILED),
    (PortUnavailable, FAILED),
    (NoServer, FAILED),
    (CallFailed, FAILED),
    (NotOurServer, FAILED),
    (TokenRefused, FAILED),
    (StateFolderError, FAILED),
    (TunUnavailable, FAILED),
    (OperationFailed, FAILED),
)


# Of a write to the standard output, which is the one file that has no name in its errors.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def default_data_dir() -> Path:
    """The data folder when none is named: the system's for root, the user's own otherwise."""
    if os.geteuid() == 0:
        return Path("/var/lib/network-controller")
    return Path.home() / ".local" / "share" / "network-controller"


def data_dir_variable() -> Path | None:
    """The data folder as the environment names it, if it does."""
    value = os.environ.get(DATA_DIR_VARIABLE)
    return Path(value) if value else None


def version_option(program: str) -> Any:
    """`--version`, for a program's own callback."""

    def show(value: bool) -> None:
        if value:
            typer.echo(f"{program} {version('litekube-network-controller')}")
            raise typer.Exit

    return typer.Option(False, "--version", callback=show, is_eager=True, help="Print the version.")


def silence_stdout() -> None:
    """Throw away what is still to be printed: its reader has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run_async(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run it on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(coroutine)


def run(app: typer.Typer, program: str) -> NoReturn:
    """Run a program to its exit code."""
    logging.getLogger("grpc").setLevel(logging.CRITICAL)
    _make_stdout_patient()
    if (option := _empty_option(sys.argv[1:])) is not None:
        _exit(program, f"{option}: is empty", USAGE, hint=f"; see {program} --help")
    try:
        code = app(prog_name=program, standalone_mode=False)
        sys.stdout.flush()  # while an error can still be told
    except typer.TyperException as error:
        context: Any = getattr(error, "ctx", None)
        command = context.command_path if context else program
        _exit(program, error.format_message(), error.exit_code, hint=f"; see {command} --help")
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:  # `network-controller log show | head`
        silence_stdout()
        sys.exit(0)
    except SystemExit as exit_:  # what typer and rich make of the same
        if not isinstance(exit_.__context__, BrokenPipeError):
            raise
        silence_stdout()
        sys.exit(0)
    except UnicodeEncodeError:
        _exit(program, "an argument is not UTF-8 text", USAGE, hint=f"; see {program} --help")
    except Exception as error:
        _exit_if_known(program, error)
        raise
    sys.exit(code if isinstance(code, int) else 0)


def _empty_option(words: list[str]) -> str | None:
    """The first option whose value is empty, as an unset variable makes it in a script.

    It would be a default, or the current folder, where somebody has named another.
    """
    for before, word in pairwise(("", *words)):
        name, equals, value = word.partition("=")
        if word.startswith("--") and equals and not value:
            return name
        if before.startswith("-") and not word:
            return before
    return None


def _exit_if_known(program: str, error: Exception) -> None:
    """End with one line, if it is an error that says what to do."""
    for kind, exit_code in _EXIT_CODES:
        if isinstance(error, kind):
            _exit(program, str(error), exit_code)
    if isinstance(error, OSError) and not error.filename and error.errno in _NO_ROOM:
        silence_stdout()
        _exit(program, f"the output cannot be written: {error.strerror}", FAILED)


def _make_stdout_patient() -> None:
    """A closed standard output takes everything, and one that lacks a character prints another."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - stays open
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _exit(program: str, message: str, code: int, hint: str = "") -> NoReturn:
    text = " ".join(message.split()).rstrip(".")
    sys.stderr.write(f"{program}: {text}{hint}\n")
    sys.exit(code)
