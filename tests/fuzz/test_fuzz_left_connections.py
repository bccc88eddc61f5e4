"""Connections to the gRPC ports that are left, killed or refused: all that they took is given back.

Each test opens a fixed number, however fast the machine is.
"""

import contextlib
import socket
import ssl
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fuzz.flooded import HEALTH_CHECK, assert_serves, bounded, open_files, until
from tests.fuzz.raw_http2 import PREFACE, SETTINGS, call, connect, frame, headers
from tests.support.server_process import LOOPBACK, SERVE, ServerProcess


@pytest.mark.parametrize("count", [60, pytest.param(600, marks=pytest.mark.long)])
def test_clients_that_are_killed_leave_nothing(count: int, server: ServerProcess) -> None:
    """Connections with calls under way end without a word: no file stays, and little memory."""
    begun = b"".join(
        call(stream, path)
        for stream, path in ((1, b"/pb.LiteKubeNCBootstrapService/GetToken"), (3, HEALTH_CHECK))
    ) + headers(5, HEALTH_CHECK)
    with bounded(server), ThreadPoolExecutor(8) as threads:

        def die(number: int) -> None:
            with connect(
                server, server.bootstrap_port, plaintext=False, certificate=False
            ) as channel:
                data = PREFACE + frame(SETTINGS) + begun
                channel.sendall(data[: len(data) * (1 + number % 10) // 10])
                channel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        list(threads.map(die, range(count)))


def hello() -> bytes:
    """A ClientHello."""
    outgoing = ssl.MemoryBIO()
    context = ssl.create_default_context()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


HELLOS, HELLOS_AT_ONCE = 12_000, 1000


@pytest.mark.long
def test_handshakes_that_are_left_are_given_back(server: ServerProcess) -> None:
    """Thousands of ClientHellos, then silence: the server ends those that stay open, in time."""
    data = hello()
    with contextlib.ExitStack() as stack, bounded(server, 256):
        opened: list[socket.socket] = []
        for _ in range(HELLOS):
            peer = stack.enter_context(socket.create_connection((LOOPBACK, server.control_port)))
            with contextlib.suppress(OSError):
                peer.sendall(data)
            opened.append(peer)
            if len(opened) > HELLOS_AT_ONCE:
                opened.pop(0).close()
        assert_serves(server)


FILES = 256


@pytest.mark.parametrize(
    "port_name",
    [
        "bootstrap_port",
        pytest.param("control_port", marks=pytest.mark.long),
        pytest.param("link_port", marks=pytest.mark.long),
    ],
)
def test_service_is_whole_after_the_descriptors_were_used_up(
    port_name: str, tmp_path: Path
) -> None:
    """While plain TCP connections take all descriptors calls may fail; once they end, none does."""
    limited = ("prlimit", f"--nofile={FILES}:{FILES}", *SERVE)
    with ServerProcess(tmp_path / "data", command=limited) as server:
        assert_serves(server)
        before = open_files(server)
        port = getattr(server, port_name)
        with contextlib.ExitStack() as stack:
            for _ in range(2 * FILES):
                peer = stack.enter_context(socket.socket())
                peer.setblocking(False)
                peer.connect_ex((LOOPBACK, port))
            until(lambda: open_files(server) > before + FILES // 4)
        until(lambda: open_files(server) <= before)
        until(lambda: serves(server))
        for _ in range(5):
            assert_serves(server)
        assert server.stop() == 0


def serves(server: ServerProcess) -> bool:
    try:
        assert_serves(server)
    except AssertionError:
        return False
    return True
