"""Callers that take what they can get: nobody else's calls wait for theirs.

Each attack goes on while others call; how long they wait is not measured, only that they are
answered within a call's deadline.
"""

import contextlib
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

from tests.fuzz.flooded import a_node
from tests.fuzz.raw_http2 import DATA, END_STREAM, Peer, connect, frame, headers
from tests.fuzz.watch import Watched, call
from tests.support.server_process import LOOPBACK, PATIENCE_S, ServerProcess

CONTROL, BOOTSTRAP = "/pb.LiteKubeNCService/", "/pb.LiteKubeNCBootstrapService/"
HEALTH = "/grpc.health.v1.Health/"

CONNECTIONS, STREAMS = 40, 100
BODY_BYTES = 1 << 20
MEMORY_MIB = 64  # all bodies together are 800


@contextlib.contextmanager
def opened(server: ServerProcess, port: int, data: bytes) -> Iterator[Peer]:
    """A connection on which that was sent."""
    mutual = port == server.control_port
    with connect(server, port, plaintext=False, certificate=mutual) as channel:
        peer = Peer(channel)
        channel.sendall(data)
        yield peer


@contextlib.contextmanager
def attack(watched: Watched, data: bytes) -> Iterator[None]:
    """As many connections to the bootstrap port as one address may want, with the same sent."""
    server = watched.server
    with contextlib.ExitStack() as stack:
        for _ in range(CONNECTIONS):
            stack.enter_context(opened(server, server.bootstrap_port, data))
        yield


def assert_served(watched: Watched) -> None:
    """Administrators are answered, and health checks on either port."""
    for target, admin, path in (
        (watched.server.control_target, True, CONTROL + "HealthCheck"),
        (watched.server.control_target, True, CONTROL + "GetRegistedIp"),
        (watched.server.control_target, True, HEALTH + "Check"),
        (watched.server.bootstrap_target, False, HEALTH + "Check"),
        (watched.server.bootstrap_target, False, BOOTSTRAP + "HealthCheck"),
    ):
        with watched.channel(target, admin=admin) as channel:
            assert call(channel, path, b"").status is grpc.StatusCode.OK


def test_calls_without_a_body_take_nobody_elses_place(secure: Watched) -> None:
    """Thousands of calls that never send their message."""
    calls = b"".join(headers(2 * n + 1, (BOOTSTRAP + "GetToken").encode()) for n in range(STREAMS))
    with attack(secure, calls):
        for _ in range(3):
            assert_served(secure)


def test_watchers_do_not_keep_health_from_answering(secure: Watched) -> None:
    """Thousands of health watches from one address."""
    watches = b"".join(
        headers(2 * n + 1, (HEALTH + "Watch").encode())
        + frame(DATA, bytes(5), END_STREAM, 2 * n + 1)
        for n in range(STREAMS)
    )
    with attack(secure, watches):
        for _ in range(3):
            assert_served(secure)


def test_bodies_without_an_end_take_bounded_memory(tmp_path: Path) -> None:
    """Eight connections of a node with a hundred bodies of a megabyte each, but their last byte."""
    with ServerProcess(tmp_path / "data") as server:
        _, context = a_node(server, tmp_path)
        watched = Watched(server, plaintext=False)
        before_mib = server.peak_memory_mib
        with ThreadPoolExecutor(8) as threads, contextlib.ExitStack() as stack:
            streams = range(1, 2 * STREAMS, 2)
            path = (CONTROL + "CheckConnState").encode()
            begun = b"".join(headers(stream, path) for stream in streams)
            peers = []
            for _ in range(8):
                raw = socket.create_connection((LOOPBACK, server.control_port), PATIENCE_S)
                channel = context.wrap_socket(raw, server_hostname="localhost")
                peers.append(Peer(stack.enter_context(channel)))
                channel.sendall(begun)
            taken = list(threads.map(lambda peer: peer.stuff(streams, BODY_BYTES), peers))
            assert sum(taken) > BODY_BYTES
            assert_served(watched)
        watched.assert_unharmed()
        assert server.peak_memory_mib - before_mib < MEMORY_MIB
        assert server.stop() == 0
