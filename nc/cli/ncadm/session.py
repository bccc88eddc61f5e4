"""The SDK's client for a command, and what several commands do with it."""

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import typer

from nc.cli.entrypoint import OperationFailed
from nc.cli.ncadm.connection import raise_for_other_port
from nc.cli.ncadm.render import echo
from nc.cli.ncadm.where import options_of
from nc.cli.streams import is_agreed
from nc.errors import USAGE, OperatorError

if TYPE_CHECKING:  # imported when a call is made, so that --help does not need it
    from nc.client.blocking import Client

_WATCH_INTERVAL_S: Final = 2.0
_CLEAR: Final = "\x1b[H\x1b[J"  # cursor to the first line; delete what is below (ECMA-48)


class NotConfirmed(OperatorError):
    """What cannot be undone was neither confirmed nor refused."""

    exit_code = USAGE
    kind = "usage"


@contextlib.contextmanager
def client_of(context: typer.Context) -> "Iterator[Client]":
    """A client of the server that the options before the command name.

    Raises:
        OperationFailed: a file cannot be used, or another of the server's ports answers.
        CallFailed: or a subclass, from the calls.
    """
    from nc.cli.ncadm.certificates import explained
    from nc.client.blocking import Client
    from nc.client.errors import NotNow, Unavailable
    from nc.client.pem_files import UnusableFile

    # What grpc logs of a failed call is part of the error that the command reports.
    logging.getLogger("grpc").setLevel(logging.CRITICAL)
    place = options_of(context).resolved()
    try:
        with Client(place, retries=0) as client:
            yield client
    except UnusableFile as error:
        raise explained(error) from error
    except Unavailable as error:
        if not place.plaintext and not isinstance(error, NotNow):
            raise_for_other_port(place.host, place.port, "CONTROL")
        raise


def shown(text_of: Callable[[], str], *, watch: bool) -> None:
    """Print a text; with `watch` again every two seconds, in its place on a terminal."""
    if not watch:
        echo(text_of())
        return
    is_terminal = sys.stdout.isatty()
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            text = text_of()
            typer.echo(f"{_CLEAR}{text}" if is_terminal else text)
            sys.stdout.flush()
            time.sleep(_WATCH_INTERVAL_S)


def confirm(question: str, *, yes: bool) -> None:
    """Ask before what cannot be undone.

    Raises:
        NotConfirmed: there is no terminal to ask on, and no --yes.
        OperationFailed: the answer is not yes.
    """
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise NotConfirmed(f"{question} There is no terminal to ask on: give --yes")
    if not is_agreed(question):
        raise OperationFailed("nothing was changed")
