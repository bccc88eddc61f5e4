"""The report of all links, for the data folder's owner, over a Unix socket.

Each connection is sent one JSON object and closed (`nc.client.link_report` reads it). The socket
has mode 0600 from the moment that it has a name.
"""

import asyncio
import contextlib
import json
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final

from nc.hub.hub import Hub
from nc.hub.mesh import Mesh
from nc.hub.ports import PeerPort, SwitchPort
from nc.hub.session import Session
from nc.net.sockets import listen_unix

# How long a reader may take; the kernel's buffers alone hold the report of some 500 links.
_WRITE_TIMEOUT_S: Final = 5.0


def report_of(hub: Hub) -> dict[str, Any]:
    return {
        "links": [_link(link, hub.name_of(link.node_id)) for link in hub.sessions.values()],
        "peers": []
        if hub.mesh is None
        else [_peer(hub.mesh, p) for p in hub.mesh.nodes.ports.values()],
        "drops": {reason.value: count for reason, count in sorted(hub.switch.drops.items())},
        "turned_away": hub.acceptor.turned_away,
        "refused": {reason.value: count for reason, count in sorted(hub.acceptor.refused.items())},
    }


def _peer(mesh: Mesh, port: PeerPort) -> dict[str, Any]:
    return {
        "session": port.session,
        "address": mesh.address_of(port.session),
        "connected": not port.is_away,
        **_counters(port),
    }


def _counters(port: SwitchPort) -> dict[str, Any]:
    return {
        "packets_in": port.packets_in,
        "bytes_in": port.bytes_in,
        "packets_out": port.packets_out,
        "bytes_out": port.bytes_out,
        "drops": {reason.value: count for reason, count in sorted(port.drops.items())},
    }


def _link(link: Session, name: str) -> dict[str, Any]:
    port = link.port
    return {
        "name": name,
        "node_id": link.node_id,
        "link_id": link.link_id,
        "address": str(IPv4Address(port.address)) if port.address else "",
        "peer": link.peer,
        "offloads": link.offloads,
        "since_ns": link.since_ns,
        **_counters(port),
    }


class ReportServer:
    """The socket; `stop` removes it."""

    def __init__(self, server: asyncio.Server, path: Path) -> None:
        self._server = server
        self._path = path

    async def stop(self) -> None:
        self._server.close()
        with contextlib.suppress(OSError):  # the next start replaces it
            self._path.unlink()


async def serve_report(path: Path, hub: Hub) -> ReportServer:
    """Serve on a socket; one that a crash left there is replaced.

    Raises:
        SocketUnavailable: it cannot be made.
    """

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):  # TimeoutError is one
            async with asyncio.timeout(_WRITE_TIMEOUT_S):
                writer.write(json.dumps(report_of(hub)).encode() + b"\n")
                await writer.drain()
        writer.transport.close()

    return ReportServer(await asyncio.start_unix_server(answer, sock=listen_unix(path)), path)
