"""The report: what goes over the links, told to the data folder's owner over a Unix socket.

Whoever connects is sent one JSON object, and that is all. The socket is its owner's alone from the
moment that it has a name.
"""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final

from nc.data_folder import DataFolderError
from nc.errors import UNREACHABLE, OperatorError
from nc.hub.hub import Hub
from nc.hub.session import Link

SOCKET_MODE: Final = 0o600

# How long a reader may take; what it is sent fits into the kernel's buffers for some 500 links.
_PATIENCE_S: Final = 5.0


class NoServer(OperatorError):
    """Nobody tells of links in this data folder."""

    exit_code = UNREACHABLE
    kind = "unreachable"

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"no server answers at {path}; start one with this data folder, "
            "or name another with --data-dir"
        )


def report_of(hub: Hub) -> dict[str, Any]:
    """Everything there is to know, as JSON has it."""
    return {
        "links": [_link(link) for link in hub.links.values()],
        "drops": {reason.value: count for reason, count in sorted(hub.switch.drops.items())},
        "turned_away": hub.turned_away,
    }


def _link(link: Link) -> dict[str, Any]:
    port = link.port
    return {
        "node_id": link.node_id,
        "link_id": link.link_id,
        "address": str(IPv4Address(port.address)) if port.address else "",
        "peer": link.peer,
        "offloads": link.offloads,
        "since_ns": link.since_ns,
        "packets_in": port.packets_in,
        "bytes_in": port.bytes_in,
        "packets_out": port.packets_out,
        "bytes_out": port.bytes_out,
        "drops": {reason.value: count for reason, count in sorted(port.drops.items())},
    }


class ReportServer:
    """The socket; `stop` takes it away."""

    def __init__(self, server: asyncio.Server, path: Path) -> None:
        self._server = server
        self._path = path

    async def stop(self) -> None:
        """Answer nobody any more."""
        self._server.close()
        self._path.unlink(missing_ok=True)


async def serve_report(path: Path, hub: Hub) -> ReportServer:
    """Answer on a socket; one that a crash left there is replaced."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):  # TimeoutError is one
            async with asyncio.timeout(_PATIENCE_S):
                writer.write(json.dumps(report_of(hub)).encode() + b"\n")
                await writer.drain()
        writer.transport.close()

    return ReportServer(await asyncio.start_unix_server(answer, sock=_bound(path)), path)


def _bound(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    os.fchmod(listener.fileno(), SOCKET_MODE)  # Linux gives the name the socket's own mode
    try:
        path.unlink(missing_ok=True)
        with _short_name(path) as name:
            listener.bind(name)
    except OSError as error:
        listener.close()
        raise DataFolderError(
            f"{path} cannot be made: {error.strerror}; choose another folder with --data-dir"
        ) from error
    return listener


def ask(path: Path) -> dict[str, Any]:
    """What a running server tells.

    Raises:
        NoServer: nobody answers.
        PermissionError: it is somebody else's.
    """
    answer = b""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_PATIENCE_S)
        try:
            with _short_name(path) as name:
                connection.connect(name)
            while part := connection.recv(65536):
                answer += part
            report: dict[str, Any] = json.loads(answer)
        except PermissionError:
            raise
        except (OSError, ValueError):
            raise NoServer(path) from None
    return report


@contextlib.contextmanager
def _short_name(path: Path) -> Iterator[str]:
    """The path by way of an open folder: a socket's name may have 107 bytes, a path has more."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
