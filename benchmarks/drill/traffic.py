"""Packets between nodes: numbered UDP datagrams over the agents' TUN devices, and who misses which.

A flow goes from each node to another one, at another replica as long as no fault has moved them.
This process sends and receives for all: a socket stays in the namespace in which it was made.
"""

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Iterator
from typing import Final, NamedTuple

from benchmarks.drill.nodes import Link, Nodes
from benchmarks.drill.site import inside
from benchmarks.lab import Lab

_PORT: Final = 7000
_PACKET: Final = struct.Struct("!IQ")  # flow, number
_PADDING: Final = bytes(200)


class Flow:
    """From one node to another.

    Attributes:
        sent_ns: when each packet was sent, by its number.
        missing: the numbers of those that have not arrived.
    """

    def __init__(self, source: str, target: str) -> None:
        self.source, self.target = source, target
        self.sent_ns: list[int] = []
        self.missing: set[int] = set()
        self.unsent: list[int] = []  # when the kernel took none

    def lost_between(self, begin_ns: int, end_ns: int) -> int:
        """How many packets that were sent then have not arrived."""
        return sum(begin_ns <= self.sent_ns[number] < end_ns for number in self.missing) + sum(
            begin_ns <= at_ns < end_ns for at_ns in self.unsent
        )


class Lost(NamedTuple):
    sent: int
    lost: int


class Traffic:
    """All flows; `with` makes the sockets and closes them."""

    def __init__(self, lab: Lab, nodes: Nodes) -> None:
        links = {name: nodes.links(name)[-1] for name in nodes.programs}
        self.flows = [Flow(name, _partner(name, links)) for name in links]
        self._addresses = {name: link.address for name, link in links.items()}
        self._sockets: dict[str, socket.socket] = {}
        self._lab = lab

    async def run(self, rate: float) -> None:
        """Send so many packets a second in each flow until cancelled."""
        with self._opened():
            pause_s = 1 / rate / len(self.flows)
            while True:
                for number, flow in enumerate(self.flows):
                    self._send(number, flow)
                    await asyncio.sleep(pause_s)

    def _send(self, number: int, flow: Flow) -> None:
        packet = _PACKET.pack(number, len(flow.sent_ns)) + _PADDING
        target = self._addresses[flow.target], _PORT
        try:
            self._sockets[flow.source].sendto(packet, target)
        except OSError:  # there is no route, or the device's queue is full
            flow.unsent.append(time.time_ns())
            return
        flow.missing.add(len(flow.sent_ns))
        flow.sent_ns.append(time.time_ns())

    @contextlib.contextmanager
    def _opened(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        try:
            for name in self._addresses:
                with inside(self._lab, name):
                    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                made.setblocking(False)
                made.bind(("", _PORT))
                self._sockets[name] = made
                loop.add_reader(made, self._receive, made)
            yield
        finally:
            for made in self._sockets.values():
                loop.remove_reader(made)
                made.close()

    def _receive(self, where: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                number, at = _PACKET.unpack_from(where.recv(2048))
                self.flows[number].missing.discard(at)

    def lost(self, names: set[str], begin_ns: int, end_ns: int) -> Lost:
        """Of the flows whose both ends are among these nodes: what was sent then, and lost."""
        flows = [flow for flow in self.flows if {flow.source, flow.target} <= names]
        sent = sum(begin_ns <= at_ns < end_ns for flow in flows for at_ns in flow.sent_ns)
        lost = sum(flow.lost_between(begin_ns, end_ns) for flow in flows)
        return Lost(sent, lost)


def _partner(name: str, links: dict[str, Link]) -> str:
    """Another node, at another replica if there is one; the next of these in order."""
    names = list(links)
    at = names.index(name)
    following = [*names[at + 1 :], *names[:at]]
    elsewhere = (each for each in following if links[each].replica != links[name].replica)
    return next(elsewhere, following[0])
