"""For programs that play a node, without a TUN device or privileges (docs/how-to/sdk.md).

    node = await enrol(StateFolder(path), Invitation(token, host, port, ca_cert_hash))
    async with open_link(node) as link:
        await link.send(packet)        # whole IPv4 packets, from link.interface.ip
        answer = await link.receive()

A link is not opened again by itself: when it ends, `receive` and `send` say why. Machines that
carry their own traffic run `network-controller join` instead.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv4Interface
from typing import Final

from nc.agent import renewal, renewal_call
from nc.agent.addresses import KnownAddresses
from nc.agent.certificates import node_tls
from nc.agent.connecting import connect
from nc.agent.connection import HubConnection, Target
from nc.agent.enrolment import Invitation, NotOurServer, ServerUnreachable, TokenRefused
from nc.agent.joining import enrol
from nc.agent.link_errors import LinkEnded
from nc.agent.machine import this_machine
from nc.agent.node_files import NodeFiles
from nc.agent.renewal import RenewalFailed
from nc.agent.state import NodeIdentity, StateFolder
from nc.certificate_files import FolderPaths
from nc.client.tls import ClientTls
from nc.contract import DEFAULT_GRPC_PORT, OK, STATE_NAMES
from nc.errors import OperatorError
from nc.net import ipv4
from nc.small_files import read_small

__all__ = [
    "Invitation",
    "LinkEnded",
    "NodeIdentity",
    "NodeLink",
    "NotOurServer",
    "RenewalFailed",
    "ServerUnreachable",
    "StateFolder",
    "StateRefused",
    "TokenRefused",
    "enrol",
    "open_link",
    "renew",
    "state_of",
]

# How many packets wait for `receive`; later ones are dropped, as a network card's queue does.
QUEUE_PACKETS: Final = 1024


class StateRefused(OperatorError):
    """The server does not tell the node's state: it was unregistered, or it has expired."""


class NodeLink:
    """A link that is open.

    Attributes:
        interface: the node's overlay address and network.
        dropped: packets that came while the queue was full.
    """

    def __init__(self, connection: HubConnection) -> None:
        self.interface: IPv4Interface = connection.interface
        self.dropped = 0
        self._connection = connection
        self._received: deque[bytes] = deque()
        self._arrived, self._writable = asyncio.Event(), asyncio.Event()
        self._writable.set()
        connection.writable = self._set_writable
        connection.begin(self._deliver)
        connection.ended.add_done_callback(self._wake)

    async def send(self, packet: bytes) -> None:
        """Send one IPv4 packet; waits while the connection takes no more.

        The server drops packets whose source is not this node's address.

        Raises:
            LinkEnded: the link has ended.
            ValueError: this is no IPv4 packet.
        """
        if len(packet) < ipv4.MIN_HEADER_BYTES or packet[0] >> 4 != ipv4.VERSION:
            raise ValueError("expected one whole IPv4 packet")
        await self._writable.wait()
        self._raise_if_ended()
        self._connection.send(packet)

    async def receive(self) -> bytes:
        """The next IPv4 packet.

        Raises:
            LinkEnded: the link has ended, and all packets before were received.
        """
        while not self._received:
            self._raise_if_ended()
            self._arrived.clear()
            await self._arrived.wait()
        return self._received.popleft()

    def _raise_if_ended(self) -> None:
        if self._connection.ended.done():
            raise self._connection.ended.result()

    def _deliver(self, frame: memoryview, _has_header: bool) -> None:
        if len(self._received) >= QUEUE_PACKETS:
            self.dropped += 1
            return
        self._received.append(bytes(frame))
        self._arrived.set()

    def _set_writable(self, is_writable: bool) -> None:
        if is_writable:
            self._writable.set()
        else:
            self._writable.clear()

    def _wake(self, _ended: object) -> None:
        self._arrived.set()
        self._writable.set()


async def renew(folder: StateFolder, node: NodeIdentity, *, proxy: str | None = None) -> None:
    """New certificates for the node, with its key, id and address; open links stay.

    Certificates last 30 days, unless the server says otherwise: a program that runs for longer
    calls this once a week, say. It may be late: certificates that have ended are renewed, too.

    Args:
        folder: where `enrol` has kept the node.
        node: as `enrol` gives it, or `StateFolder.load`.
        proxy: the URL of an HTTP proxy to go through.

    Raises:
        RenewalFailed: there are none; `is_final`: the node was unregistered.
    """
    if node.certificates is None:  # plain text
        return
    addresses = KnownAddresses(folder.addresses, (node.host, node.port))
    await renewal.renew(
        node.token, NodeFiles(node.certificates), addresses, proxy, renewal_call.ask_here
    )


@asynccontextmanager
async def open_link(
    node: NodeIdentity, *, held: IPv4Address | None = None, proxy: str | None = None
) -> AsyncIterator[NodeLink]:
    """A node's link, closed at the end of the block.

    Args:
        node: as `enrol` gives it, or `StateFolder.load`.
        held: the address that it had last, which a server with an older log keeps for it.
        proxy: the URL of an HTTP proxy to go through.

    Raises:
        LinkEnded: or a subclass, which says whether trying again may succeed.
        PkiError: the node's certificates cannot be read.
    """
    tls = None
    if node.certificates is not None:
        tls = node_tls(FolderPaths.within(node.certificates)).context
    target = Target(
        *(node.host, node.port, node.token, tls, held, proxy),
        offload=False,
        machine=this_machine(),
    )
    connection = await connect(target)
    try:
        yield NodeLink(connection)
    finally:
        await connection.close()


async def state_of(
    node: NodeIdentity, *, host: str = "", port: int = DEFAULT_GRPC_PORT
) -> tuple[str, str]:
    """The node's own state, IDLE, INIT or CONNECTED, and its overlay address; "" if it has none.

    Args:
        node: as `enrol` gives it, or `StateFolder.load`.
        host: of the control port; empty: where the link port is.
        port: the control port.

    Raises:
        CallFailed: the server cannot be reached, or refuses the certificate.
        StateRefused: the node is not one any more.
    """
    # gRPC takes some 30 MB, which a program that only holds a link does not need.
    from nc.client.channel import Channel  # noqa: PLC0415 - see above
    from nc.pb.network_controller_pb2 import CheckConnStateRequest  # noqa: PLC0415 - see above

    tls = None
    if node.certificates is not None:
        paths = FolderPaths.within(node.certificates.with_name("grpc"))
        tls = ClientTls(*map(read_small, (paths.ca, paths.client_key, paths.client)))
    async with Channel(host or node.host, port, tls) as channel:
        answer = await channel.call("CheckConnState", CheckConnStateRequest(token=node.token))
    if answer.code != OK:
        raise StateRefused(f"{answer.message} (code {answer.code})")
    return STATE_NAMES.get(answer.connState, str(answer.connState)), str(answer.bindIp)
