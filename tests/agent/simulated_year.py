"""Machines whose certificates are renewed in virtual time, by a server that restarts."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric import ec

from eventlog import MemoryLog
from nc.agent.addresses import KnownAddresses
from nc.agent.attempt import Attempt, AttemptFile
from nc.agent.link_errors import RetryLater
from nc.agent.node_files import RenewedCertificates, Terms
from nc.agent.renewal import Renewal, RenewalFailed, RenewalRequest
from nc.agent.settings import AgentSettings
from nc.domain.codec.records import events_in
from nc.domain.tokens import IssueToken
from nc.pb.node.v1 import node_pb2 as pb
from nc.pki.authority import self_signed
from nc.pki.certificates import NODE_LIFETIME, AuthorityKind
from nc.pki.identity import PeerCertificate, read_peer
from nc.pki.pem import PrivateKey
from nc.pki.requests import request_for
from nc.replica.batch import Origin
from nc.replica.local_log import LocalLog
from nc.replica.replica import Replica
from nc.rpc.api import Authorities, Call, Endpoints
from nc.rpc.callers import ANONYMOUS
from nc.rpc.node.enrolment import EnrolmentService
from nc.secrets import TokenIds
from nc.testing.seeded_random import SeededRandom
from nc.testing.simulation.loop import SimulatedLoop

START = datetime(2027, 1, 1, tzinfo=UTC)
DAY_S = 86_400
BOOTSTRAP = "0123456789abcdef"
CALL = Call(ANONYMOUS, "nc.node.v1.Enrolment", "request", 0)


class Clock:
    """The loop's time, later by what somebody has set."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.offset_s = 0.0

    def now_ns(self) -> int:
        return int((START.timestamp() + self._loop.time() + self.offset_s) * 1e9)

    def monotonic_ns(self) -> int:
        return int(self._loop.time() * 1e9)


async def at_once(function: Callable[[], Any], /) -> Any:
    return function()


class Server:
    """A server that restarts on its log, is away for a while, and whose replies may be lost."""

    def __init__(self, chance: SeededRandom) -> None:
        self.clock = Clock()
        self.log = MemoryLog()
        self.chance = chance
        self.ids = TokenIds(b"k" * 32)
        self.lost = self.renewed = 0
        grpc, network = (
            self_signed(kind, ec.generate_private_key(ec.SECP256R1()), START, serial=1)
            for kind in AuthorityKind
        )
        self._authorities = Authorities(grpc, network)
        self.service: EnrolmentService | None = None
        self.replica: Replica

    async def start(self) -> None:
        self.replica = Replica(
            LocalLog(self.log, self.clock, run_blocking=at_once), self.clock, run_blocking=at_once
        )
        self.replica.start()
        self.service = EnrolmentService(
            self.replica,
            self._authorities,
            lambda: Endpoints("server", "10.1.1.1", 6440, 6439, 6441),
            self.ids,
            self.clock,
            self.chance,
            lifetime=NODE_LIFETIME,
            max_nodes=0,
        )

    async def stop(self) -> None:
        self.service = None
        await self.replica.stop()

    async def issue(self) -> None:
        command = IssueToken(self.ids.id_of(BOOTSTRAP), -1, self.clock.now_ns() // 10**6)
        await self.replica.submit(command, Origin("system", "issue", "request"))

    async def answer(self, call: Callable[[EnrolmentService], Any]) -> Any:
        """What the service answers; raises RenewalFailed if it is away, or the reply is lost."""
        await asyncio.sleep(0.01 + self.chance.random())
        if (service := self.service) is None:
            raise RenewalFailed("there is no server")
        answer = await call(service)
        if self.chance.random() < 0.2:
            self.lost += 1
            raise RenewalFailed("the reply was lost")
        return answer

    def accepts(self, machine: "Machine") -> bool:
        now_ms = self.clock.now_ns() // 10**6
        peer = machine.files.peer
        return machine.node_id in self.replica.state.nodes and (
            peer.not_before_ms <= now_ms < peer.not_after_ms
        )


class Files:
    """A node's files, in memory."""

    def __init__(self, key: PrivateKey) -> None:
        self._key = key
        self.peer: PeerCertificate
        self._terms = Terms(1, 1)

    def terms(self) -> Terms:
        return self._terms

    def ends_ms(self) -> int:
        return self.peer.not_after_ms

    def key(self) -> PrivateKey:
        return self._key

    def authority_pem(self) -> bytes:
        return b""

    def replace(self, renewed: RenewedCertificates) -> None:
        self.peer, self._terms = read_peer(renewed.network_certificate.encode()), renewed.terms


def _renewed(given: pb.Certificates) -> RenewedCertificates:
    return RenewedCertificates(
        *(given.grpc_ca_pem, given.grpc_certificate_pem),
        *(given.network_ca_pem, given.network_certificate_pem),
        Terms(6439, given.lifetime_s),
    )


async def _enrol(request: pb.EnrolRequest, service: EnrolmentService) -> pb.EnrolResponse:
    return await service.enrol(request, CALL)


class Machine:
    """A machine with an agent, which is off at times."""

    def __init__(self, server: Server, number: int, folder: Path) -> None:
        self._server = server
        self.chance = SeededRandom(("machine", number))
        self.clock = Clock()
        self._attempts = AttemptFile(folder / f"{number}.json")
        self.files: Files
        self.node_id = self._token = ""
        self._work: asyncio.Task[None] | None = None
        self.renewal: Renewal

    async def join(self) -> None:
        """Enrol, as often as replies are lost; each time as after a crash."""
        while True:
            attempt: Attempt = self._attempts.load_or_make("token", self.chance)
            request = pb.EnrolRequest(
                bootstrap_token=BOOTSTRAP,
                attempt=attempt.id,
                csr_pem=request_for(attempt.key).decode(),
            )
            try:
                answer = await self._server.answer(partial(_enrol, request))
            except RenewalFailed:
                await asyncio.sleep(60 * self.chance.random())
                continue
            self.node_id, self._token = answer.node_id, answer.node_token
            self.files = Files(attempt.key)
            self.files.replace(_renewed(answer.certificates))
            self._attempts.forget()
            return

    def switch_on(self) -> None:
        self.renewal = Renewal(
            self._token,
            self.files,
            KnownAddresses(None, ("server", 6441)),
            AgentSettings(),
            clock=self.clock,
            secrets=self.chance,
            log=structlog.wrap_logger(structlog.ReturnLogger()),
            ask=self._ask,
        )
        self._work = asyncio.create_task(self.renewal.run(lambda: None))

    async def switch_off(self) -> None:
        if self._work is not None:
            self._work.cancel()
            await asyncio.wait([self._work])
            self._work = None

    def try_link(self) -> None:
        """Whether there is a link now; a refused one is what an agent makes of it."""
        if self._work is not None and not self._server.accepts(self):
            self.renewal.link_failed(RetryLater("the certificate is refused"))

    async def _ask(self, request: RenewalRequest) -> RenewedCertificates:
        message = pb.RenewRequest(node_token=request.node_token, csr_pem=request.request_pem)
        answer = await self._server.answer(lambda s: s.renew(message, CALL))
        self._server.renewed += 1
        return _renewed(answer.certificates)


async def live(folder: Path, machines: int, days: int, seed: int) -> Server:
    """Everybody joins on one day; then days go by."""
    chance = SeededRandom(("year", seed))
    server = Server(chance)
    await server.start()
    await server.issue()
    fleet = [Machine(server, number, folder) for number in range(machines)]
    await asyncio.gather(*(machine.join() for machine in fleet))
    for machine in fleet:
        machine.switch_on()
    for _ in range(days):
        await _a_day(server, fleet, chance)
    for machine in fleet:
        machine.clock.offset_s = 0
        await machine.switch_off()
        machine.switch_on()
    server.clock.offset_s = 0
    for _ in range(48):  # two days of good weather
        await asyncio.sleep(3600)
        for machine in fleet:
            machine.try_link()
    assert [m.node_id for m in fleet if not server.accepts(m)] == []
    assert [m.renewal.unregistered for m in fleet if m.renewal.unregistered] == []
    assert set(server.replica.state.nodes) == {machine.node_id for machine in fleet}
    for machine in fleet:
        await machine.switch_off()
    await server.stop()
    return server


async def _a_day(server: Server, fleet: list[Machine], chance: SeededRandom) -> None:
    """Some of what may happen does."""
    one = fleet[int(chance.random() * len(fleet))]
    draw = chance.random()
    if draw < 0.1:
        await server.stop()
        await asyncio.sleep(DAY_S * chance.random() / 2)
        await server.start()
    elif draw < 0.2:
        one.clock.offset_s = (chance.random() - 0.5) * 2 * 365 * DAY_S
    elif draw < 0.25:
        server.clock.offset_s = (chance.random() - 0.5) * 2 * 10 * DAY_S
    elif draw < 0.3:
        server.clock.offset_s = 0
    elif draw < 0.6:
        await one.switch_off()
    elif draw < 0.9:
        await one.switch_off()
        one.clock.offset_s = 0
        one.switch_on()
    await asyncio.sleep(DAY_S)
    for machine in fleet:
        machine.try_link()


def play(folder: Path, machines: int, days: int, seed: int) -> Server:
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        server = runner.run(live(folder, machines, days, seed))
    kinds = [str(event.WhichOneof("kind")) for event in events_in(server.log.read(0))]
    assert kinds.count("node_registered") == machines
    assert server.lost > 0
    assert server.renewed > 0
    return server
