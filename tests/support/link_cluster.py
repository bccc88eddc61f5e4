"""A whole server in this process and machines that join it: what tests of links begin with."""

import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eventlog import LogReader
from nc.client.channel import Channel
from nc.clock import SystemClock
from nc.domain.codec.records import events_in
from nc.domain.events import Event, pb
from nc.domain.fsm import ConnectionState
from nc.domain.links import link_of
from nc.hub.limits import Limits
from nc.pb import network_controller_pb2, sensor_pb2
from nc.replica.replica import Replica
from nc.secrets import TokenIds
from nc.server.installation import Tuning
from tests.support.link_client import Identity, LinkClient
from tests.support.whole_server import Lines, WholeServer, admin, running, until

CONNECTED, INIT, IDLE = ConnectionState.CONNECTED, ConnectionState.INIT, ConnectionState.IDLE


# Tests leave without answering close frames.
HASTY = Limits(close_timeout_s=0.05)


@dataclass(frozen=True)
class Machine:
    token: str = field(repr=False)
    node_id: str
    tls: ssl.SSLContext | None


@dataclass
class Cluster:
    """A server, its administrator, and the machines that joined it."""

    server: WholeServer
    client: Channel
    lines: Lines
    plaintext: bool
    bootstrap_token: str = ""
    links: list[LinkClient] = field(default_factory=list)  # that were opened

    @property
    def replica(self) -> Replica:
        return self.server.replica

    @property
    def token_ids(self) -> TokenIds:
        """Recognises tokens as the server does."""
        return TokenIds(self.server.folder.secret_key.read_bytes())

    @property
    def port(self) -> int:
        return self.server.endpoints.link_port

    async def enrol(self) -> Machine:
        if not self.bootstrap_token:
            ten_minutes = network_controller_pb2.GetBootStrapTokenRequest(expireTime=10)
            issued = await self.client.call("GetBootStrapToken", ten_minutes)
            self.bootstrap_token = issued.bootStrapToken
        request = network_controller_pb2.GetTokenRequest(bootStrapToken=self.bootstrap_token)
        answer = await self.client.call("GetToken", request)
        assert answer.code == "200", answer.message
        identity = machine_pems(answer)
        return Machine(
            answer.token,
            self.token_ids.id_of(answer.token),
            None if self.plaintext else identity.context(),
        )

    async def unregister(self, machine: Machine) -> None:
        request = network_controller_pb2.UnRegisterRequest(token=machine.token)
        assert (await self.client.call("UnRegister", request)).code == "200"

    async def expire(self, machine: Machine, expire_time_s: int) -> None:
        """Set when a node's token expires."""
        sensor = sensor_pb2.SensorExpire(
            deviceToken=machine.token.encode(), expireTime=expire_time_s
        )
        request = sensor_pb2.SensorExpireTimeRequest(sensorExpire=[sensor])
        assert (await self.client.call("UpdateSensorExpireTime", request)).code == "200"

    async def open(self, machine: Machine, **headers: str) -> LinkClient:
        """A link, not more than accepted."""
        self.links.append(
            await LinkClient.connect(self.port, machine.token, machine.tls, **headers)
        )
        return self.links[-1]

    async def connect(self, machine: Machine, **headers: str) -> tuple[LinkClient, str]:
        client = await self.open(machine, **headers)
        return client, (await client.hand_shake()).partition("/")[0]

    def state(self, machine: Machine) -> ConnectionState:
        """Where the replica says that a node is."""
        return link_of(self.replica.state.links, machine.node_id).state

    async def becomes(self, machine: Machine, state: ConnectionState) -> None:
        """Wait until a node is there."""
        await until(lambda: self.state(machine) is state)

    async def quiet(self) -> None:
        """Wait until the server has no link and no connection to close any more."""
        await until(lambda: not self.server.hub.sessions and not self.replica.state.links)

    def moves(self, machine: Machine) -> list[tuple[str, str]]:
        """What the log says of a node's links: the new state, and the reason."""
        return [
            (ConnectionState(change.to_state).name, reason_name(change.reason))
            for event in logged_events(self.server.folder.log)
            if (change := event.state_changed).node_id == machine.node_id
        ]


def reason_name(reason: int) -> str:
    name: str = pb.StateChangeReason.Name(reason)
    return name.removeprefix("STATE_CHANGE_REASON_").lower()


def logged_events(folder: Path) -> list[Event]:
    return list(events_in(LogReader(folder).read()))


def machine_pems(answer: Any) -> Identity:
    """The network identity in GetToken's answer."""
    pems = (answer.NetworkCaCert, answer.NetworkClientKey, answer.NetworkClientCert)
    return Identity(*(base64.b64decode(pem).decode() for pem in pems))


@asynccontextmanager
async def cluster(
    data_dir: Path,
    *,
    clock: SystemClock | None = None,
    limits: Limits = HASTY,
    tuning: Tuning | None = None,
    **settings: Any,
) -> AsyncIterator[Cluster]:
    lines = Lines()
    plaintext = bool(settings.get("plaintext"))
    links: list[LinkClient] = []
    try:
        async with (
            running(
                data_dir,
                clock,
                lines,
                tuning=tuning or Tuning(link_limits=limits),
                **{"reclaim_after": "0"} | settings,
            ) as server,
            admin(server) as client,
        ):
            yield Cluster(server, client, lines, plaintext, links=links)
    finally:
        for link in links:
            await link.vanish()
