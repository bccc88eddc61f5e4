"""Agents in this process that enrol with a key of their own, and cards that count packets."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog

from nc.agent.addresses import KnownAddresses
from nc.agent.agent import Agent
from nc.agent.attempt import AttemptFile
from nc.agent.connection import HubConnection, Target
from nc.agent.device import Kernel
from nc.agent.enrolment import Invitation, redeem
from nc.agent.node_files import NodeFiles, RenewedCertificates
from nc.agent.renewal import Renewal, RenewalRequest
from nc.agent.renewal_call import ask_here
from nc.agent.settings import AgentSettings
from nc.agent.state import NodeIdentity
from nc.clock import SystemClock
from nc.net.ipv4 import build_packet
from nc.net.redirect import Redirect
from nc.net.routes import DeviceNetwork
from nc.net.tun import Receive
from nc.net.wire import PLAIN_VNET_HEADER, VNET_HEADER_BYTES, Frame, packets
from nc.pki.certificates import ca_cert_hash
from nc.secrets import SystemSecrets
from tests.support.whole_server import LOOPBACK, Lines, WholeServer, until


class Card:
    """A network card: a `Device` without a kernel, whose queue is as long as it must be."""

    name = "card0"

    def __init__(self, offload: bool) -> None:
        self.offload = offload
        self.arrived: list[bytes] = []  # payloads
        self._waiting: list[bytes] = []
        self._receive: Receive | None = None
        self._is_reading = False

    def start(self, receive: Receive, lost: Callable[[], None]) -> None:
        del lost
        self._receive = receive
        self.resume()

    def pause(self) -> None:
        self._is_reading = False

    def resume(self) -> None:
        self._is_reading = True
        waiting, self._waiting = self._waiting, []
        for packet in waiting:
            self.send(packet)

    def send(self, packet: bytes) -> None:
        """A program on this machine sends a packet."""
        if self._receive is None or not self._is_reading:
            self._waiting.append(packet)
        else:
            self._receive(PLAIN_VNET_HEADER + packet if self.offload else packet, 1)

    def write(self, frame: Frame) -> int:
        held = list(packets(frame)) if self.offload else [frame]
        at = (VNET_HEADER_BYTES if self.offload else 0) + 20
        self.arrived += (bytes(one[at:]) for one in held)
        return len(held)

    def close(self) -> None:
        self._is_reading = False


class _Agent(Agent):
    """Says whether it opens a link just now: to stop it then would leave a socket behind."""

    opening = 0

    async def _open(self, left: Target | None = None) -> tuple[HubConnection, Target]:
        self.opening += 1
        try:
            return await super()._open(left)
        finally:
            self.opening -= 1


class RenewingAgent:
    """A machine that has joined, with its agent; in one process with the server.

    Attributes:
        lines: the agent's log lines.
        calls: how often it asked for a renewal.
        ask: what carries out a renewal.
        renewed: what was answered.
    """

    def __init__(self, folder: Path, clock: SystemClock | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._clock = clock or SystemClock()
        self.lines = Lines()
        self.calls = 0
        self.cards: list[Card] = []
        self.ask = ask_here
        self.renewed: list[RenewedCertificates] = []
        self.node: NodeIdentity
        self.node_id = ""
        self.running: tuple[_Agent, asyncio.Task[None]] | None = None

    async def join(self, server: WholeServer, token: str) -> None:
        """Enrol, and keep the answer."""
        ca_hash = ca_cert_hash(server.certificates.grpc.authority.certificate_pem)
        invitation = Invitation(token, LOOPBACK, server.endpoints.bootstrap_port, ca_hash)
        attempt = AttemptFile(self._folder / "attempt.json").load_or_make("t", SystemSecrets())
        answer = await redeem(invitation, attempt)
        assert answer.certificates is not None
        answer.certificates.write(self._folder)
        network = self._folder / "network"
        self.node = NodeIdentity(answer.node_token, answer.host, answer.port, network)
        self.node_id = answer.node_id

    @property
    def files(self) -> NodeFiles:
        return NodeFiles(self._folder / "network")

    def start(self) -> None:
        log: Any = structlog.wrap_logger(structlog.ReturnLogger(), processors=[self.lines])
        known = KnownAddresses(None, (self.node.host, self.node.port))
        parts: dict[str, Any] = {"clock": self._clock, "secrets": SystemSecrets(), "log": log}
        settings = AgentSettings()
        renewal = Renewal(
            self.node.token, self.files, known, settings, **parts, ask=self._ask_and_count
        )
        agent = _Agent(
            self.node,
            settings,
            Redirect(self._folder / "redirect.json"),
            **parts,
            kernel=Kernel(self._open_card, lambda _device, _network: [], _watch_nothing),
            addresses=known,
            renewal=renewal,
        )
        self.running = agent, asyncio.create_task(agent.run())

    async def stop(self) -> BaseException | None:
        """End the agent; returns what it died of, if it did."""
        assert self.running is not None
        agent, task = self.running
        await until(lambda: task.done() or not agent.opening)
        self.running = None
        task.cancel()
        (ended,) = await asyncio.gather(task, return_exceptions=True)
        return None if isinstance(ended, asyncio.CancelledError) else ended

    async def ended(self) -> str:
        """Wait until the agent ends by itself; returns what it says."""
        assert self.running is not None
        await asyncio.wait([self.running[1]])
        return str(self.running[1].exception())

    async def connected(self, times: int) -> None:
        await until(lambda: len(self.lines.named("agent.connected")) >= times)

    def moved_to(self, server: WholeServer) -> None:
        """The server has other ports now."""
        self.node = replace(self.node, port=server.endpoints.link_port)
        terms = self.files.terms()
        assert terms is not None
        self.files.write_terms(terms._replace(bootstrap_port=server.endpoints.bootstrap_port))

    def renew_now(self) -> None:
        """Let the agent, once it is started, find that renewal is due."""
        terms = self.files.terms()
        assert terms is not None
        self.files.write_terms(terms._replace(lifetime_s=10**9))

    @property
    def address(self) -> str:
        return str(self.lines.named("agent.connected")[-1]["address"]).partition("/")[0]

    @property
    def card(self) -> Card:
        return self.cards[-1]

    def send(self, other: "RenewingAgent", payload: bytes) -> None:
        self.card.send(build_packet(self.address, other.address, payload))

    async def _ask_and_count(self, request: RenewalRequest) -> RenewedCertificates:
        self.calls += 1
        self.renewed.append(await self.ask(request))
        return self.renewed[-1]

    async def _open_card(self, network: DeviceNetwork, offload: bool) -> Card:
        del network
        self.cards.append(Card(offload))
        return self.card


async def _watch_nothing(_restore: object, _report: object) -> None: ...


def replaced(agent: RenewingAgent) -> Callable[[], None]:
    """What begins a newer link."""
    running = agent.running
    assert running is not None
    return running[0]._replaced.set
