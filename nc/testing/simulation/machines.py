"""A simulated machine: a real agent, with a network card that counts packets."""

import asyncio
import ssl
import struct
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any, Final

import structlog

from nc import log_events
from nc.agent.agent import Agent, AgentStopped
from nc.agent.device import Kernel
from nc.agent.settings import AgentSettings
from nc.agent.state import NodeIdentity
from nc.net.ipv4 import MIN_HEADER_BYTES, build_packet
from nc.net.redirect import Redirect
from nc.net.routes import DeviceNetwork
from nc.net.tun import Receive
from nc.net.wire import PLAIN_VNET_HEADER, VNET_HEADER_BYTES, Frame, packets
from nc.testing.seeded_random import SeededRandom
from nc.testing.simulation.clocks import MachineClock
from nc.testing.simulation.connection import SERVER_PORT
from nc.testing.simulation.loop import Life

if TYPE_CHECKING:
    from nc.testing.simulation.cluster import Cluster

_NUMBER_BYTES: Final = 8
_RESTART_S: Final = 2.0
_ARRIVED: Final = struct.Struct("!16xIQ")  # the destination, and a number behind the header


def packet(number: int, source: str, destination: str, size_bytes: int) -> bytes:
    padding = bytes(max(size_bytes - MIN_HEADER_BYTES - _NUMBER_BYTES, 0))
    return build_packet(source, destination, number.to_bytes(_NUMBER_BYTES) + padding)


def number_of(frame: Frame) -> int:
    """The number of a packet behind an offload header."""
    _, number = _ARRIVED.unpack_from(frame, VNET_HEADER_BYTES)
    return int(number)


JOINS_BY: Final = "token of "  # and a machine's name: the token that it joins with


class _Card:
    """A network card: a `Device` without a kernel."""

    def __init__(self, name: str, offload: bool, arrived: Callable[[int, str], None]) -> None:
        self.name = name
        self.offload = offload
        self._arrived = arrived
        self._receive: Receive | None = None
        self._is_reading = False

    def start(self, receive: Receive, _lost: Callable[[], None]) -> None:
        """See `Device`; it is never lost."""
        self._receive, self._is_reading = receive, True

    def pause(self) -> None:
        """See `Device`; what is sent meanwhile is lost, as beyond a kernel's queue."""
        self._is_reading = False

    def resume(self) -> None:
        self._is_reading = True

    def write(self, frame: Frame) -> int:
        """Receive packets from the agent."""
        held = list(packets(frame)) if self.offload else [frame]
        for one in held:
            at = VNET_HEADER_BYTES if self.offload else 0
            destination, number = _ARRIVED.unpack_from(one, at)
            self._arrived(number, str(IPv4Address(destination)))
        return len(held)

    def close(self) -> None:
        self._is_reading = False

    def send(self, data: bytes) -> bool:
        """A program on the machine sends; whether the agent took it."""
        if self._receive is None or not self._is_reading:
            return False
        self._receive(PLAIN_VNET_HEADER + data if self.offload else data, 1)
        return True


class _NoRoutes(Redirect):
    """Routes outside the device: a simulated machine has none."""

    def __init__(self) -> None: ...

    def end(self) -> None: ...


def _restore_nothing(_device: str, _network: DeviceNetwork) -> list[str]:
    return []


async def _watch_nothing(_restore: object, _report: object) -> None: ...


class Machine:
    """A machine with an agent.

    Args:
        name: of the machine; its uplink has the same.
        node: the name of its node, whose token and certificate it has; those of a duplicate, too.

    Attributes:
        address: of its card, as the agent was last given it.
        is_connected: as far as the agent knows.
        has_given_up: why, if it has; "".
    """

    def __init__(self, cluster: "Cluster", name: str, node: str) -> None:
        enrolment = cluster.enrolments[node]
        certificate = enrolment.certificates[1].certificate.decode("ascii")
        self.name = name
        self.node = node
        self.token = str(enrolment.token)
        self.clock = MachineClock(cluster.time)
        self._cluster = cluster
        self._chance = SeededRandom(("machine", name, cluster.plan.seed))
        self._card: _Card | None = None
        self._life: Life | None = None
        self.address = ""
        self.is_connected = False
        self.has_given_up = ""
        shown = cluster.network.certificates[name] = ssl.PEM_cert_to_DER_cert(certificate)
        self._folder = cluster.certificates.add(name, self.clock, shown)

    @property
    def is_on(self) -> bool:
        return self._life is not None

    def switch_on(self) -> None:
        """Start the agent. Idempotent."""
        if self._life is not None:
            return
        self._life = Life()
        self._life.uplink = self.name
        self.has_given_up = ""
        node = NodeIdentity(self.token, self.name, SERVER_PORT, self._folder)
        agent = Agent(
            node,
            AgentSettings(),
            _NoRoutes(),
            clock=self.clock,
            secrets=self._chance,
            log=listening_log(self._hear),
            kernel=Kernel(self._open_card, _restore_nothing, _watch_nothing),
        )
        self._life.run(self._run(agent))

    def switch_off(self, *, silently: bool) -> None:
        """End every process at once; no peer is notified. Idempotent."""
        life, self._life = self._life, None
        self.is_connected, self._card = False, None
        if life is not None:
            self._cluster.network.end_life(life, silently=silently)
            life.end()

    def send(self, number: int, destination: str, size_bytes: int) -> bool:
        """Send a packet; whether it left."""
        if not self.is_connected or self._card is None:
            return False
        return self._card.send(packet(number, self.address, destination, size_bytes))

    async def _run(self, agent: Agent) -> None:
        while self.name in self._cluster.certificates.missing:  # noqa: ASYNC110 - as systemd starts it
            await asyncio.sleep(_RESTART_S)
        try:
            await agent.run()
        except AgentStopped as stopped:
            self.has_given_up = str(stopped)
            self._cluster.happens(self, f"gives up: {stopped}")
        except Exception as error:  # noqa: BLE001 - any is a bug of ours
            self.has_given_up = repr(error)
            self._cluster.happens(self, f"crashes: {error!r}")

    async def _open_card(self, network: DeviceNetwork, offload: bool) -> _Card:
        self.address = str(network.wanted.interface.ip)  # packets come before the agent says more
        arrived = partial(self._cluster.traffic.arrive, self)
        self._card = _Card(f"card of {self.name}", offload, arrived)
        return self._card

    def _hear(self, event: str, fields: dict[str, Any]) -> None:
        if self._life is None:
            return
        if event == log_events.AGENT_CONNECTED:
            self.is_connected = True
            self._cluster.happens(self, f"is connected as {self.address}")
        elif event == log_events.AGENT_DISCONNECTED:
            was_connected, self.is_connected = self.is_connected, False
            if was_connected:
                self._cluster.happens(self, f"is not connected: {fields['message']}")


def listening_log(hear: Callable[[str, dict[str, Any]], None]) -> Any:
    """A logger that hands each line to a function, and writes nothing."""

    def tell(_logger: object, _method: str, fields: Any) -> Any:
        event = fields.pop("event")
        hear(event, fields)
        raise structlog.DropEvent

    return structlog.wrap_logger(structlog.ReturnLogger(), processors=[tell])
