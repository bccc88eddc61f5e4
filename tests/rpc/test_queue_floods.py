"""Connections that bring much while memory grows end, and no others."""

import contextlib
import fcntl
import socket
import termios
from collections.abc import Iterator

import pytest

from nc.rpc.queue.connections import Connections
from nc.rpc.queue.floods import _ANSWER_BYTES as LEAST_ANSWER
from nc.rpc.queue.floods import _BROUGHT_BYTES as MOST_UNANSWERED
from nc.rpc.queue.floods import Floods

MOST, GROWTH = 1000, 100 * 1024 * 1024


class Bench:
    """A port with connections, and memory that grows when a test wants."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self.memory: int | None = GROWTH
        self._stack = stack
        self._accepted: dict[socket.socket, socket.socket] = {}
        self._listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.port = self._listening.getsockname()[1]
        connections = Connections()
        stack.callback(connections.close)
        self.most = {self.port: MOST}
        self.floods = Floods(self.most, connections, lambda: self.memory)

    def connect(self) -> socket.socket:
        peer = self._stack.enter_context(socket.create_connection(("127.0.0.1", self.port)))
        self._accepted[peer] = self._stack.enter_context(self._listening.accept()[0])
        return peer

    def answer(self, peer: socket.socket, size_bytes: int) -> None:
        """Send it something, which its kernel has then."""
        accepted = self._accepted[peer]
        accepted.sendall(bytes(size_bytes))
        while fcntl.ioctl(accepted, termios.TIOCOUTQ, bytes(4)) != bytes(4):
            pass

    def ended_at(self, now_s: float) -> list[int]:
        """The callers' ports of the connections that end."""
        return [each.port for each in self.floods.look(now_s)]

    def grow(self) -> None:
        self.memory = (self.memory or 0) + GROWTH


@pytest.fixture
def bench() -> Iterator[Bench]:
    with contextlib.ExitStack() as stack:
        yield Bench(stack)


def number_of(peer: socket.socket) -> int:
    return int(peer.getsockname()[1])


def test_who_brings_much_while_memory_grows_is_ended(bench: Bench) -> None:
    """One beyond the limit, and not one at it."""
    heavy, light = bench.connect(), bench.connect()
    heavy.sendall(bytes(MOST + 1))
    light.sendall(bytes(MOST))
    assert bench.ended_at(0.0) == []
    bench.grow()
    heavy.sendall(bytes(MOST + 1))
    light.sendall(bytes(MOST))
    assert bench.ended_at(1.0) == [number_of(heavy)]
    assert heavy.recv(1) == b""


def test_nobody_is_ended_while_memory_does_not_grow(bench: Bench) -> None:
    """However much it brings; nor while it cannot be told how much memory there is."""
    bench.connect().sendall(bytes(10 * MOST))
    assert bench.ended_at(0.0) == []
    bench.memory = None
    assert bench.ended_at(1.0) == []
    bench.memory = GROWTH
    assert bench.ended_at(2.0) == []


def test_what_a_connection_brought_long_ago_does_not_count(bench: Bench) -> None:
    """What was brought before the last look, which is a minute ago at most, is forgotten."""
    bench.connect().sendall(bytes(10 * MOST))
    assert bench.ended_at(0.0) == []
    newcomer = bench.connect()
    newcomer.sendall(bytes(10 * MOST))
    bench.grow()
    assert bench.ended_at(59.0) == [number_of(newcomer)]


def test_who_has_just_come_is_not_ended_for_want_of_an_answer(bench: Bench) -> None:
    """However much it has brought: nobody was given time to answer it."""
    bench.most[bench.port] = GROWTH
    bench.connect().sendall(bytes(MOST_UNANSWERED + 1))
    assert bench.ended_at(100.0) == []


@pytest.mark.parametrize("grows", [False, True])
def test_who_brings_something_and_is_never_answered_is_ended(bench: Bench, *, grows: bool) -> None:
    """Within two minutes, or half of one while memory grows; neither who is, nor who is idle."""
    bench.most[bench.port] = GROWTH
    mute, answered, idle = bench.connect(), bench.connect(), bench.connect()
    for peer in (mute, answered, idle):
        bench.answer(peer, 1000)  # as a handshake
    for now_s in (100.0, 115.0 if grows else 160.0):
        for peer in (mute, answered):
            peer.sendall(bytes(MOST_UNANSWERED + 1))
        idle.sendall(bytes(MOST_UNANSWERED))
        bench.answer(mute, LEAST_ANSWER)
        bench.answer(answered, LEAST_ANSWER + 1)
        if now_s == 100.0:
            assert bench.ended_at(now_s) == []
            if grows:
                bench.grow()
                assert bench.ended_at(now_s) == []
    assert bench.ended_at(now_s - 0.1) == []
    assert bench.ended_at(now_s) == [number_of(mute)]
    newcomer = bench.connect()
    bench.answer(newcomer, 1000)
    assert bench.ended_at(now_s + 15) == []
    newcomer.sendall(bytes(MOST_UNANSWERED + 1))
    assert bench.ended_at(now_s + 30) == [number_of(newcomer)]
    assert mute.recv(2000) != b""
    assert mute.recv(2000) == b""
