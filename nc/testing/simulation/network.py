"""A network in memory: connections that are slow, silent, cut off, or cut off on one side only.

    a machine ── its uplink, by its name ──▶ a server's port ◀── their way, `lines.way` ── a server

Where there are several servers, a dial comes to the one whose address it names, whether it is up or
not; to any of them by a name that stands for all.

What crosses it are bytes, between asyncio transports, so everything above a socket is the real
code, picows among it. Within a connection bytes stay in order; between connections nothing does.

Laws: what is cut off arrives late, once the way is open again, as TCP sends it again; what goes
over a *severed* connection never arrives, and neither side learns of it; a machine that does not
read holds up only what is sent to it.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, Final
from unittest import mock

import aiofastnet

from nc.testing.seeded_random import SeededRandom
from nc.testing.simulation.connection import SERVER_PORT, Endpoint, Socket
from nc.testing.simulation.lines import way
from nc.testing.simulation.loop import Life, SimulatedLoop, life_here

_LATENCIES_S: Final = (0.0005, 0.01, 0.04, 0.15)
_JITTER: Final = 0.5

ANOTHER_SERVER: Final = -1  # the number of one that is none of the cluster's


class WrongServer(Enum):
    """What answers at the server's address for a while."""

    OTHER_CA = "a server with another CA"
    EMPTY_LOG = "a server with the same CA and an empty log"
    CLOSED_PORT = "a machine without a server"
    SILENT = "nothing"


class Listener:
    """A server's port; stands for a socket that listens."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self.is_open = True
        self._came: asyncio.Queue[Endpoint] = asyncio.Queue()

    def setblocking(self, _is_blocking: bool) -> None:
        pass

    def getsockname(self) -> tuple[str, int]:
        return "", SERVER_PORT

    async def accept(self) -> tuple[Socket, tuple[str, int]]:
        endpoint = await self._came.get()
        return Socket(endpoint), (endpoint.uplink, SERVER_PORT)

    def connect(self, endpoint: Endpoint) -> None:
        self._came.put_nowait(endpoint)

    def close(self) -> None:
        self.is_open = False


class Network:
    """Every connection between machines and servers.

    Args:
        seed: of how long things take, and of who comes to which server.
        servers: how many there are.
        verify: called with the uplink of each dial; raises what TLS would.

    Attributes:
        certificates: by uplink, what the machine there shows.
        addresses: of the servers, by their numbers.
        reached: by uplink, the server that its last dial came to.
        connections: the servers' ends of those that live.
        misdirected_to: what dials come to instead of the servers.
    """

    def __init__(
        self,
        seed: object,
        servers: int = 1,
        verify: Callable[[str], None] = lambda _uplink: None,
    ) -> None:
        self._verify = verify
        self._another: Listener | None = None
        self.misdirected_to: WrongServer | None = None
        self._chance = SeededRandom(("network", seed))
        self._dials = SeededRandom(("dials", seed))
        self._latencies_s: dict[str, float] = {}
        self._cut_off: dict[str, int] = {}  # how often each uplink was, and was not mended since
        self._opened = asyncio.Event()
        self._listeners: list[Listener | None] = [None] * servers  # each server's last
        self.addresses = [f"192.0.2.{number + 1}" for number in range(servers)]
        self.certificates: dict[str, bytes] = {}
        self.reached: dict[str, int] = {}
        self._ends: list[Endpoint] = []  # the servers'

    @property
    def connections(self) -> list[Endpoint]:
        """The servers' ends of what is not known there to be lost."""
        self._ends = [end for end in self._ends if end.lives or end.peer.lives]
        return [end for end in self._ends if end.lives]

    def listen(self, life: Life, server: int = 0) -> Listener:
        listener = Listener(life)
        if server == ANOTHER_SERVER:
            self._another = listener
        else:
            self._listeners[server] = listener
        return listener

    def latency_s(self, end: Endpoint) -> float:
        if end.uplink not in self._latencies_s:
            choice = int(self._chance.random() * len(_LATENCIES_S))
            self._latencies_s[end.uplink] = _LATENCIES_S[choice]
        return self._latencies_s[end.uplink] * (1 + _JITTER * self._chance.random())

    def is_cut_off(self, uplink: str) -> bool:
        return self._cut_off.get(uplink, 0) > 0

    def cut_off(self, uplink: str) -> None:
        """Block all traffic until `mend` was called as often."""
        self._cut_off[uplink] = self._cut_off.get(uplink, 0) + 1

    def mend(self, uplink: str) -> None:
        """End one cut; traffic flows again, the waiting bytes first."""
        self._cut_off[uplink] = max(0, self._cut_off.get(uplink, 0) - 1)
        self._opened.set()
        self._opened = asyncio.Event()
        self.pump(uplink)

    def mend_all(self) -> None:
        """End all cuts and all stalls."""
        for uplink in self._cut_off:
            self._cut_off[uplink] = 0
            self.mend(uplink)
        for end in list(self._ends):
            self.stall(end.uplink, is_stalled=False)

    def sever(self, uplink: str) -> int:
        """Sever the connections of an uplink; returns how many there were."""
        ends = [end for end in self._ends if end.uplink == uplink]
        for end in ends:
            end.is_severed = end.peer.is_severed = True
        return len(ends)

    def is_sound(self, uplink: str) -> bool:
        """Whether no connection of the uplink is severed."""
        ours = [end for end in self._ends if end.uplink == uplink]
        severed = [end for end in ours if end.is_severed or end.peer.is_severed]
        return not any(end.lives or end.peer.lives for end in severed)

    def reset(self, uplink: str, *, at_server: bool) -> None:
        """Reset the connections of an uplink; one side learns of it at once, the other in time."""
        for end in [end for end in self.connections if end.uplink == uplink]:
            first = end if at_server else end.peer
            first.lose(ConnectionResetError())
            first.reset_peer()

    def stall(self, uplink: str, *, is_stalled: bool) -> None:
        """Stop a machine's reading, or continue it."""
        for end in list(self._ends):
            if end.uplink == uplink:
                end.peer.is_stalled = is_stalled
                end.pump()

    def pump(self, uplink: str) -> None:
        for end in list(self._ends):
            if end.uplink == uplink:
                end.pump()
                end.peer.pump()

    def end_life(self, life: Life, *, silently: bool) -> None:
        """A process has ended: its kernel resets its connections, unless that is gone too."""
        for end in list(self._ends):
            ours = end if end.life is life else end.peer if end.peer.life is life else None
            if ours is None or ours.is_lost:
                continue
            if silently:
                ours.peer.is_severed = True  # what it had sent is on its way, and arrives
            else:
                ours.reset_peer()

    async def dial(
        self, protocol_factory: Callable[[], Any], host: str, tls: object = None
    ) -> tuple[Endpoint, Any]:
        uplink = life_here().uplink or host
        if uplink in self.addresses:
            uplink = way(uplink, host)
        await asyncio.sleep(_LATENCIES_S[1])
        while self.is_cut_off(uplink):
            await self._opened.wait()
        listener = await self._find_listener(uplink, host)
        if listener is None or not listener.is_open or listener.life.is_over:
            raise ConnectionRefusedError("connection refused")
        self._verify(uplink)
        shown = getattr(tls, "shown", None) or self.certificates.get(uplink)
        ip = self.addresses[self.reached.get(uplink, 0)]
        ours = Endpoint(self, life_here(), uplink, ip, None)
        theirs = Endpoint(self, listener.life, uplink, uplink, shown)
        ours.peer, theirs.peer = theirs, ours
        self._ends.append(theirs)
        ours.protocol = protocol_factory()
        ours.protocol.connection_made(ours)
        listener.connect(theirs)
        return ours, ours.protocol

    async def _find_listener(self, uplink: str, host: str) -> Listener | None:
        """What a dial comes to; it waits for ever where nothing answers."""
        match self.misdirected_to:
            case WrongServer.SILENT:
                await asyncio.Event().wait()
            case WrongServer.CLOSED_PORT:
                return None
            case WrongServer.EMPTY_LOG:
                return self._another
        number = int(self._dials.random() * len(self._listeners))
        self.reached[uplink] = number = (
            self.addresses.index(host) if host in self.addresses else number
        )
        return self._listeners[number]

    async def receive(
        self, protocol_factory: Callable[[], Any], accepted: Socket
    ) -> tuple[Endpoint, Any]:
        end = accepted.endpoint
        protocol = protocol_factory()
        protocol.connection_made(end)
        end.protocol = protocol
        end.life.soon(end.peer.pump)
        return end, protocol


@contextlib.contextmanager
def in_place_of_sockets(network: Network) -> Iterator[None]:
    """Route connections of code on a `SimulatedLoop` over this network, all others as usual.

    These two functions are the lowest place that both ends go through.
    """
    dial, receive = aiofastnet.create_connection, aiofastnet.connect_accepted_socket

    async def create_connection(
        loop: Any, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any
    ) -> Any:
        if isinstance(loop, SimulatedLoop):
            return await network.dial(protocol_factory, host, options.get("ssl"))
        return await dial(loop, protocol_factory, host, port, **options)

    async def connect_accepted_socket(
        loop: Any, protocol_factory: Any, sock: Any, **options: Any
    ) -> Any:
        if isinstance(loop, SimulatedLoop):
            return await network.receive(protocol_factory, sock)
        return await receive(loop, protocol_factory, sock, **options)

    with (
        mock.patch.object(aiofastnet, "create_connection", create_connection),
        mock.patch.object(aiofastnet, "connect_accepted_socket", connect_accepted_socket),
    ):
        yield
