"""The console on a port of loopback, until it is told to stop."""

import gc
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import uvicorn

from nc.client.client import AsyncClient
from nc.client.contexts import Context
from nc.console.app import console_app
from nc.console.feed import MOST_EVENTS, Feed
from nc.console.guard import Guard
from nc.errors import OperatorError
from nc.secrets import Secrets

LOOPBACK: Final = "127.0.0.1"
_COLLECTING: Final = (20_000, 20, 50)
_GRACE_S: Final = 1  # for answers under way; a page's live feed never ends by itself


class PortTaken(OperatorError):
    """The port cannot be listened on."""


@asynccontextmanager
async def console(
    context: Context, port: int, secrets: Secrets
) -> AsyncIterator[tuple[str, uvicorn.Server, socket.socket]]:
    """A console, ready to serve: the URL that lets a browser in, the server, and its socket.

    Args:
        context: which server, and the operator's certificate for it.
        port: 0: any free one.
        secrets: gives the one-time secret and the cookie's.

    Raises:
        PortTaken: another program listens there.
        UnusableFile, ContextError: the certificates cannot be read.
    """
    listening = _listen(port)
    try:
        async with _collecting_rarely(), AsyncClient(context) as client:
            app = console_app(client, Feed(client, MOST_EVENTS))
            guard = Guard(app, listening.getsockname()[1], secrets)
            config = uvicorn.Config(
                guard,
                access_log=False,
                log_level="critical",
                server_header=False,
                proxy_headers=False,
                ws="none",
                lifespan="on",
                timeout_graceful_shutdown=_GRACE_S,
            )
            yield guard.url, uvicorn.Server(config), listening
    finally:
        listening.close()


@asynccontextmanager
async def _collecting_rarely() -> AsyncIterator[None]:
    """Look for cycles more rarely: a long log makes objects by the million, and no cycle.

    A third of the reading would go into the search.
    """
    before = gc.get_threshold()
    gc.set_threshold(*_COLLECTING)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _listen(port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((LOOPBACK, port))
        made.listen()  # the browser may come before the server takes it up
    except OSError as error:
        made.close()
        raise PortTaken(
            f"port {port} of {LOOPBACK}: {error.strerror}", remedy="give another one with --port"
        ) from error
    return made
