"""How both programs run: errors are one line on stderr, and the exit code says what kind.

0  done
1  the operation failed
2  wrong usage: arguments, configuration
3  the log is damaged
"""

import asyncio
import logging
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import typer
import uvloop

from eventlog import LogDamaged, LogError
from nc.archive import ExportDamaged, ExportRefused
from nc.config import ConfigError
from nc.data_folder import DataFolderError
from nc.link.node_state import StateFolderError
from nc.link.report import NoServer
from nc.link.tun import TunUnavailable
from nc.past import BaseMissing
from nc.pki import PkiError
from nc.ports import PortUnavailable
from nc.projections.state import UnknownEvent
from nc.refusals import DiskFull
from nc.rpc.client import CallFailed
from nc.rpc.enrolment import NotOurServer, TokenRefused
from nc.verification import Impossible

T = TypeVar("T")

FAILED = 1
USAGE = 2
DAMAGED = 3

DATA_DIR_VARIABLE = "NC_DATA_DIR"


class OperationFailed(Exception):
    """What was asked for was refused; the text is for the user."""


_EXIT_CODES: tuple[tuple[type[Exception], int], ...] = (
    (LogDamaged, DAMAGED),
    (Impossible, DAMAGED),
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


def default_data_dir() -> Path:
    """The data folder when none is named: the system's for root, the user's own otherwise."""
    if os.geteuid() == 0:
        return Path("/var/lib/network-controller")
    return Path.home() / ".local" / "share" / "network-controller"


def data_dir_variable() -> Path | None:
    """The data folder as the environment names it, if it does."""
    value = os.environ.get(DATA_DIR_VARIABLE)
    return Path(value) if value else None


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
    try:
        code = app(prog_name=program, standalone_mode=False)
    except typer.TyperException as error:
        context: Any = getattr(error, "ctx", None)
        command = context.command_path if context else program
        _exit(program, error.format_message(), error.exit_code, hint=f"; see {command} --help")
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:  # `network-controller log show | head`
        silence_stdout()
        sys.exit(0)
    except UnicodeEncodeError:
        _exit(program, "an argument is not UTF-8 text", USAGE, hint=f"; see {program} --help")
    except Exception as error:
        for kind, exit_code in _EXIT_CODES:
            if isinstance(error, kind):
                _exit(program, str(error), exit_code)
        raise
    sys.exit(code if isinstance(code, int) else 0)


def _exit(program: str, message: str, code: int, hint: str = "") -> NoReturn:
    text = " ".join(message.split()).rstrip(".")
    sys.stderr.write(f"{program}: {text}{hint}\n")
    sys.exit(code)
