"""A controller with a clock and ids of the test's own, over a log in memory."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from eventlog import MemoryLog
from nc.domain.codec.records import events_in
from nc.domain.links import AcceptLink, HandOverAddress
from nc.pb import network_controller_pb2 as pb
from nc.pb import sensor_pb2
from nc.pki.authority import CertificateAuthority, self_signed
from nc.pki.certificates import AuthorityKind
from nc.replica.batch import Origin
from nc.replica.local_log import LocalLog
from nc.replica.replica import Replica
from nc.rpc.api import Authorities, Call, Endpoints
from nc.rpc.callers import UNRESTRICTED
from nc.rpc.controller import Controller
from nc.secrets import SystemSecrets, TokenIds

START = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
MINUTE_MS = 60_000
CALL = Call(UNRESTRICTED, "Method", "request", 0)
ENDPOINTS = Endpoints("192.0.2.7", "10.1.1.1", 6440, 6439, 6441)


class Clock:
    """Stands where the test puts it."""

    def __init__(self) -> None:
        self.now_ms = int(START.timestamp() * 1000)

    def now_ns(self) -> int:
        """Unix time."""
        return self.now_ms * 1_000_000

    def monotonic_ns(self) -> int:
        """The same."""
        return self.now_ns()


class CountingIds(TokenIds):
    """Knows how many tokens were hashed."""

    hashed = 0

    def id_of(self, token: str) -> str:
        """The token's id."""
        self.hashed += 1
        return super().id_of(token)


def _authority(kind: AuthorityKind) -> CertificateAuthority:
    return self_signed(kind, ec.generate_private_key(ec.SECP256R1()), START, serial=1)


AUTHORITIES = Authorities(_authority(AuthorityKind.GRPC), _authority(AuthorityKind.NETWORK))


class Bench:
    """A controller on a log in memory."""

    def __init__(self, max_waiting_commands: int = 100) -> None:
        self.clock = Clock()
        self.log = MemoryLog()
        self.ids = CountingIds(b"k" * 32)
        self.replica = Replica(
            LocalLog(self.log, self.clock), self.clock, max_waiting_commands=max_waiting_commands
        )
        self.controller = Controller(
            self.replica, AUTHORITIES, lambda: ENDPOINTS, self.ids, self.clock, SystemSecrets()
        )

    async def issue(self, minutes: int = 10) -> str:
        """A bootstrap token."""
        request = pb.GetBootStrapTokenRequest(expireTime=minutes)
        return (await self.controller.get_bootstrap_token(request, CALL)).bootStrapToken

    async def join(self, token: str) -> pb.GetTokenResponse:
        """A new node."""
        return await self.controller.get_token(pb.GetTokenRequest(bootStrapToken=token), CALL)

    async def connect(self, token: str) -> None:
        """Give the node a link and its address, as the link does."""
        node_id, now_ms = self.ids.id_of(token), self.clock.now_ms
        origin = Origin("link", "link", "r")
        await self.replica.submit(AcceptLink(node_id, "l1", now_ms), origin)
        await self.replica.submit(HandOverAddress(node_id, "l1", now_ms), origin)

    async def ask(self, token: str) -> pb.CheckConnResponse:
        """CheckConnState."""
        request = pb.CheckConnStateRequest(token=token)
        return pb.CheckConnResponse.FromString(self.controller.check_conn_state(request, CALL))

    def health(self) -> str:
        """The code of HealthCheck."""
        answer = self.controller.health_check(pb.HealthCheckRequest(), CALL)
        return pb.HealthCheckResponse.FromString(answer).code

    async def expire(self, token: str, at_s: int) -> None:
        """UpdateSensorExpireTime of one node."""
        sensor = sensor_pb2.SensorExpire(deviceToken=token.encode(), expireTime=at_s)
        request = sensor_pb2.SensorExpireTimeRequest(sensorExpire=[sensor])
        await self.controller.update_sensor_expire_time(request, CALL)

    def events(self, after: int = 0) -> list[str]:
        """The kinds of the events after a sequence number."""
        return [str(event.WhichOneof("kind")) for event in events_in(self.log.read(after))]


def run(scenario: Callable[[Bench], Awaitable[None]], **options: Any) -> Bench:
    async def play() -> Bench:
        bench = Bench(**options)
        bench.replica.start()
        await scenario(bench)
        await bench.replica.stop()
        return bench

    return asyncio.run(play())
