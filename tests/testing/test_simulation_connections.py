"""A simulated connection does to its two ends what the kernel's does."""

import asyncio
import contextlib
from typing import Any

import pytest

from nc.testing.simulation.loop import Life, SimulatedLoop
from nc.testing.simulation.network import Network


class Recorder(asyncio.BufferedProtocol):
    """Writes down what a transport does to it."""

    def __init__(self, talk: bytes = b"") -> None:
        self.seen: list[object] = []
        self.transport: Any = None
        self._talk = talk
        self._buffer = bytearray(1024)
        self.made, self.lost = asyncio.Event(), asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say something at once."""
        self.transport = transport
        self.made.set()
        if self._talk:
            self.transport.write(self._talk)

    def get_buffer(self, sizehint: int) -> bytearray:
        """The same again and again."""
        del sizehint
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Keep what came as one piece, however it was cut."""
        piece = bytes(self._buffer[:nbytes])
        if self.seen and isinstance(self.seen[-1], bytes):
            self.seen[-1] += piece
        else:
            self.seen.append(piece)

    def connection_lost(self, exc: Exception | None) -> None:
        """The end."""
        del exc
        self.seen.append("lost")
        self.lost.set()


async def talk(client: Recorder, server: Recorder, ending: str) -> list[list[object]]:
    """Something both ways, then one of the ends that a connection can come to."""
    for number in range(3):
        server.transport.write(b"%d" % number * 700)
    client.transport.write(b"last words")
    await asyncio.sleep(0.2)
    getattr(client.transport, ending)()
    client.transport.write(b"too late")
    await asyncio.wait_for(client.lost.wait(), 60)
    await asyncio.wait_for(server.lost.wait(), 60)
    return [client.seen, server.seen]


async def over_sockets(ending: str) -> list[list[object]]:
    """The same over the kernel's."""
    server, client = Recorder(), Recorder(b"hello, ")
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: server, "127.0.0.1", 0)
    host, port = listening.sockets[0].getsockname()
    await loop.create_connection(lambda: client, host, port)
    await server.made.wait()
    try:
        return await talk(client, server, ending)
    finally:
        listening.close()


async def over_simulation(ending: str) -> list[list[object]]:
    """And over the simulated network."""
    network, life = Network(1), Life()
    server, client = Recorder(), Recorder(b"hello, ")
    listener = network.listen(life)
    await life.run(network.dial(lambda: client, "machine"))
    accepted, _ = await listener.accept()
    await life.run(network.receive(lambda: server, accepted))
    with contextlib.closing(listener):
        return await talk(client, server, ending)


@pytest.mark.parametrize("ending", ["close", "abort"])
def test_a_simulated_connection_is_like_a_real_one(ending: str) -> None:
    """The same bytes in the same order, and both ends learn of the end, once."""
    loop = SimulatedLoop()
    try:
        simulated = loop.run_until_complete(over_simulation(ending))
    finally:
        loop.close()
    assert simulated == asyncio.run(over_sockets(ending))
