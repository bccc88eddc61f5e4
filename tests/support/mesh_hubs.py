"""Several hubs in this process, each with a replica of its own on one log, connected as a mesh."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import structlog

from eventlog import MemoryLog
from nc.clock import SystemClock
from nc.domain.decide import Command
from nc.domain.network import Network
from nc.domain.replica_addresses import BindReplicaAddress, own_address
from nc.domain.replicas import StartReplica
from nc.domain.tokens import IssueToken, RedeemToken
from nc.hub.hub import Hub
from nc.hub.mesh import Mesh, MeshParts
from nc.hub.ports import PeerPort, SwitchPort
from nc.hub.switch import Switch
from nc.net.wire import PLAIN_VNET_HEADER, Frame, packets
from nc.replica.batch import Origin
from nc.replica.local_log import LocalLog
from nc.replica.peers import Peer, Peers
from nc.replica.replica import Replica
from nc.replica.waiting import WaitingNodes
from nc.secrets import RequestIds, SystemSecrets, TokenIds
from nc.server.tasks import follow_log
from tests.support.link_client import LinkClient
from tests.support.link_cluster import HASTY
from tests.support.whole_server import LOOPBACK, Lines, until

NETWORK = Network.parse("10.1.1.1/24")
TOKEN_IDS = TokenIds(b"k" * 32)
_ORIGIN = Origin("system", "start", "0")

OFFERS = {"Sec_WebSocket_Protocol": "nc.offload.1"}


@dataclass
class MeshHub:
    """One of them.

    Attributes:
        kernel: what its uplink got, without offload headers.
    """

    session: str
    replica: Replica
    peers: Peers
    hub: Hub
    lines: Lines
    port: int = 0
    kernel: list[bytes] = field(default_factory=list)

    @property
    def switch(self) -> Switch:
        return self.hub.switch

    @property
    def mesh(self) -> Mesh:
        assert self.hub.mesh is not None
        return self.hub.mesh

    @property
    def own(self) -> str:
        """Its own overlay address."""
        return own_address(self.replica.state.addresses, self.session)

    def port_to(self, other: "MeshHub") -> PeerPort:
        return self.mesh.nodes.ports[other.session]

    async def submit(self, command: Command) -> None:
        await self.replica.submit(command, _ORIGIN)

    def attach_uplink(self) -> SwitchPort:
        port = SwitchPort(self._keep, lambda: 0, offloads=True)
        self.switch.attach_uplink(port)
        return port

    def _keep(self, frame: Frame) -> None:
        header = len(PLAIN_VNET_HEADER)
        self.kernel += (bytes(one[header:]) for one in packets(frame))


@dataclass
class MeshHubs:
    """All of them, and the nodes' links."""

    hubs: list[MeshHub]
    links: list[LinkClient] = field(default_factory=list)

    def __getitem__(self, number: int) -> MeshHub:
        return self.hubs[number]

    async def register(self, name: str) -> str:
        """A node; returns its token."""
        token = name.encode().hex().zfill(16)
        redeem = RedeemToken("t", TOKEN_IDS.id_of(token), (), 1)
        await self.hubs[0].submit(redeem)
        await self.caught_up()
        return token

    async def link(self, hub: MeshHub, token: str, **headers: str) -> tuple[LinkClient, str]:
        """A node's link at a hub, and its address; every hub knows of it."""
        client = await LinkClient.connect(hub.port, token, None, **headers)
        self.links.append(client)
        address = (await client.hand_shake()).partition("/")[0]
        await self.caught_up()
        return client, address

    async def caught_up(self) -> None:
        """Wait until every hub has the same state."""
        await until(lambda: len({each.replica.state.seq for each in self.hubs}) == 1)

    async def connected(self) -> None:
        """Wait until every hub has a connection to each other."""
        await until(lambda: all(len(each.mesh.open) == len(self.hubs) - 1 for each in self.hubs))

    def name_peers(self) -> None:
        """Tell each hub where the others are."""
        for each in self.hubs:
            others = (other for other in self.hubs if other is not each)
            each.peers.set({other.session: Peer(LOOPBACK, other.port) for other in others})


Tls = Callable[[str], ssl.SSLContext | None]


@contextlib.asynccontextmanager
async def mesh_hubs(
    count: int,
    *,
    server_tls: ssl.SSLContext | None = None,
    client_tls: Tls = lambda _session: None,
    interconnection: bool = True,
) -> AsyncIterator[MeshHubs]:
    """So many hubs, connected, with an overlay address of its own each."""
    log = MemoryLog()
    hubs: list[MeshHub] = []
    tasks: list[asyncio.Task[Any]] = []
    made = MeshHubs(hubs)
    try:
        for number in range(count):
            hub, started = await _start(
                log.peer(), number, server_tls, client_tls, interconnection=interconnection
            )
            hubs.append(hub)
            tasks += started
        await hubs[0].submit(IssueToken("t", -1, 1))
        for hub in hubs:
            await hubs[0].submit(BindReplicaAddress(hub.session))
        made.name_peers()
        await made.connected()
        await made.caught_up()
        yield made
    finally:
        for link in made.links:
            await link.vanish()
        for hub in hubs:
            await hub.hub.stop_accepting()
            await hub.hub.stop()
            await hub.replica.stop()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _start(
    log: MemoryLog,
    number: int,
    tls: ssl.SSLContext | None,
    client_tls: Tls,
    *,
    interconnection: bool,
) -> tuple[MeshHub, list[asyncio.Task[Any]]]:
    clock, secrets, lines = SystemClock(), SystemSecrets(), Lines()
    logger: Any = structlog.wrap_logger(structlog.ReturnLogger(), processors=[lines])
    local = LocalLog(log, clock)
    replica, peers = Replica(local, clock), Peers()
    replica.session = f"session-{number}"
    tasks: list[asyncio.Task[Any]] = [
        replica.start(),
        asyncio.create_task(follow_log(local, replica)),
    ]
    start = StartReplica(f"r{number}", "1", str(NETWORK), session=replica.session)
    await replica.submit(start, _ORIGIN)
    hub = Hub(
        replica,
        NETWORK,
        lambda: tls,
        token_ids=TOKEN_IDS,
        clock=clock,
        request_ids=RequestIds(secrets),
        log=logger,
        interconnection=interconnection,
        limits=HASTY,
        reclaim_after_ms=0,
        waiting=WaitingNodes(),
    )
    parts = MeshParts(
        peers, lambda: replica.session, client_tls, clock, secrets, logger, HASTY.close_timeout_s
    )
    hub.join_mesh(parts)
    listener = socket.create_server((LOOPBACK, 0))
    tasks += hub.start(listener).values()
    one = MeshHub(replica.session, replica, peers, hub, lines, listener.getsockname()[1])
    return one, tasks
