"""Floods on the gRPC ports: while they last others are answered, and after them all is given back.

Each sends a fixed amount, however fast the machine is. How long others wait is not measured here
(`benchmarks/hostile.py` does), only that they are answered, and what memory and files are taken.
"""

import contextlib
import gzip
import socket
import ssl
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from nc.pb import network_controller_pb2 as pb
from nc.rpc.abuse import REFUSALS_OF_ONE_AT_ONCE
from tests.fuzz.flooded import (
    CONTROL,
    HEALTH_CHECK,
    MEMORY_MIB,
    a_node,
    assert_serves,
    bounded,
    drain,
    until,
)
from tests.fuzz.raw_http2 import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    PREFACE,
    SETTINGS,
    Peer,
    connect,
    frame,
    headers,
    literals,
)
from tests.fuzz.watch import Watched
from tests.fuzz.watch import call as checked_call
from tests.support.filter_right import WITHOUT_THE_RIGHT, needs_filter, require_kernel_that_asks
from tests.support.server_process import LOOPBACK, PATIENCE_S, SERVE, ServerProcess

CONTINUATION = 9
AT_ONCE = 50
ENDED_S = 2.0  # a connection that was ended may no longer be read, and then takes no more


def sent(channel: socket.socket, data: bytes, times: int = 1) -> None:
    """Send it so many times, or until the server hangs up."""
    with channel, contextlib.suppress(OSError):
        channel.sendall(PREFACE + frame(SETTINGS))
        for _ in range(times):
            channel.sendall(data)
            drain(channel)
        channel.shutdown(socket.SHUT_WR)
        channel.settimeout(PATIENCE_S)
        while channel.recv(65536):
            pass


_FRAGMENT = literals([(b"x-more", b"m" * 1000)])
_FRAGMENTS = frame(CONTINUATION, _FRAGMENT, 0, 1) * 1000
_SETTINGS = frame(SETTINGS, struct.pack(">HI", 4, 65_535)) * 500
_PINGS = frame(PING, bytes(8)) * 1000
_EMPTY_DATA = headers(1, HEALTH_CHECK) + frame(DATA, b"", 0, 1) * 1000


@pytest.mark.parametrize(
    ("data", "times"),
    [(_SETTINGS, 40), (_PINGS, 40), (_EMPTY_DATA, 1)],
    ids=["SETTINGS", "PING", "empty DATA"],
)
def test_floods_of_frames_are_held(data: bytes, times: int, server: ServerProcess) -> None:
    """Frames that cost their sender next to nothing take neither memory nor others' service."""
    with bounded(server), ThreadPoolExecutor(4) as threads:
        floods = [
            threads.submit(
                sent,
                connect(server, server.bootstrap_port, plaintext=False, certificate=False),
                data,
                times,
            )
            for _ in range(4)
        ]
        assert_serves(server)
        for flood in floods:
            flood.result()


def test_headers_that_go_on_and_on_end(server: ServerProcess) -> None:
    """Connections end before they have brought what gRPC would keep: 480 MB of CONTINUATION."""

    def go_on(number: int) -> None:
        del number
        with (
            connect(server, server.bootstrap_port, plaintext=False, certificate=False) as channel,
            contextlib.suppress(OSError),
        ):
            channel.settimeout(ENDED_S)
            channel.sendall(PREFACE + frame(SETTINGS) + headers(1, HEALTH_CHECK, 0))
            for _ in range(120):
                channel.sendall(_FRAGMENTS)

    with bounded(server, 4 * MEMORY_MIB), ThreadPoolExecutor(4) as threads:
        list(threads.map(go_on, range(4)))
    assert server.logged("rpc.crowded")


TRICKLES, TRICKLE_BYTES = 100, 700_000


@pytest.mark.long
def test_headers_that_come_slowly_on_many_connections_end(server: ServerProcess) -> None:
    """None brings much, all together do: they end, and not whoever calls now and then."""
    fragment = frame(CONTINUATION, _FRAGMENT, 0, 1)

    def begun() -> socket.socket:
        channel = connect(server, server.bootstrap_port, plaintext=False, certificate=False)
        channel.sendall(PREFACE + frame(SETTINGS) + headers(1, HEALTH_CHECK, 0))
        channel.sendall(fragment * (TRICKLE_BYTES // len(fragment)))
        return channel

    def goes_on(channel: socket.socket) -> bool:
        try:
            drain(channel)
            channel.sendall(fragment)
        except OSError:
            return False
        return True

    watched, crowded = Watched(server, plaintext=False), len(server.logged("rpc.crowded"))
    with (
        contextlib.ExitStack() as stack,
        bounded(server, 4 * MEMORY_MIB),
        watched.channel(server.control_target, admin=True) as channel,
    ):
        trickling = [stack.enter_context(begun()) for _ in range(TRICKLES)]
        while trickling:
            trickling = [each for each in trickling if goes_on(each)]
            outcome = checked_call(channel, CONTROL + "GetBootStrapToken", b"")
            assert outcome.status is grpc.StatusCode.OK
            time.sleep(0.5)
    # gRPC itself ends connections of this port, too, but later, and says nothing
    assert len(server.logged("rpc.crowded")) > crowded


def test_a_compressed_message_is_bounded_by_what_it_becomes(server: ServerProcess) -> None:
    """A hundred messages of 50 kB that become 50 MB each take no more than honest ones."""
    bomb = gzip.compress(bytes(50_000_000), 9)
    data = b"\x01" + struct.pack(">I", len(bomb)) + bomb
    chunks = [data[at : at + 16_384] for at in range(0, len(data), 16_384)]
    with bounded(server), ThreadPoolExecutor(4) as threads:

        def explode(number: int) -> None:
            del number
            encoding = [(b"grpc-encoding", b"gzip")]
            whole = headers(1, HEALTH_CHECK, END_HEADERS, encoding)
            for position, chunk in enumerate(chunks, 1):
                whole += frame(DATA, chunk, END_STREAM if position == len(chunks) else 0, 1)
            sent(connect(server, server.bootstrap_port, plaintext=False, certificate=False), whole)

        list(threads.map(explode, range(100)))


def unregistered(server: ServerProcess, folder: Path) -> ssl.SSLContext:
    """The identity of a node that was unregistered."""
    token, context = a_node(server, folder)
    with Watched(server, plaintext=False).channel(server.control_target, admin=True) as channel:
        request = pb.UnRegisterRequest(token=token).SerializeToString()
        checked_call(channel, CONTROL + "UnRegister", request)
    return context


def test_an_unregistered_node_that_goes_on_is_hung_up_on(
    server: ServerProcess, tmp_path: Path
) -> None:
    """It is refused at the headers, then nothing is; an administrator is served."""
    context = unregistered(server, tmp_path)
    path = (CONTROL + "CheckConnState").encode()
    with bounded(server, silent=1):
        raw = socket.create_connection((LOOPBACK, server.control_port), PATIENCE_S)
        with context.wrap_socket(raw, server_hostname="localhost") as channel:
            refused = 0
            peer = Peer(channel)
            channel.sendall(b"".join(headers(2 * n + 1, path) for n in range(AT_ONCE)))
            channel.settimeout(0.1)

            def is_hung_up_on() -> bool:
                nonlocal refused
                with contextlib.suppress(OSError):  # it is silent, slow, or has ended
                    for kind, flags, stream, _ in peer.frames():
                        if kind == HEADERS and flags & END_STREAM:
                            refused += 1
                            channel.sendall(headers(stream + 2 * AT_ONCE, path))
                return bool(server.logged("rpc.hung_up"))

            until(is_hung_up_on)
            # so many were refused before the one that was hung up on, which was sent after them
            assert refused >= REFUSALS_OF_ONE_AT_ONCE - AT_ONCE
        assert len(server.logged("rpc.hung_up")) == 1


LOOPING, SYN_S = ("127.0.0.66", 0), 0.2
BEGUN = PREFACE + frame(SETTINGS)
BEGUN += b"".join(headers(2 * n + 1, (CONTROL + "CheckConnState").encode()) for n in range(100))


def loop_until(event: str, server: ServerProcess, context: ssl.SSLContext) -> None:
    """Begin calls on a connection and leave it for another, until the server's log has the line."""

    def is_logged() -> bool:
        with contextlib.suppress(OSError):  # it is kept from beginning, or has ended
            raw = socket.create_connection((LOOPBACK, server.control_port), SYN_S, LOOPING)
            raw.settimeout(PATIENCE_S)
            with context.wrap_socket(raw, server_hostname="localhost") as channel:
                channel.sendall(BEGUN)
        return bool(server.logged(event))

    until(is_logged)


@needs_filter
def test_a_node_that_comes_back_again_and_again_is_held_back(
    server: ServerProcess, tmp_path: Path
) -> None:
    """An administrator is served."""
    context = unregistered(server, tmp_path)
    with bounded(server):
        loop_until("rpc.held_back", server, context)
    (line,) = server.logged("rpc.held_back")
    assert line["party"] == LOOPING[0]


def test_a_server_without_the_right_to_filter_says_so_and_hangs_up(tmp_path: Path) -> None:
    """Once, at its start. An administrator is served while a node comes back again and again."""
    require_kernel_that_asks()
    with ServerProcess(tmp_path / "data", command=(*WITHOUT_THE_RIGHT, *SERVE)) as server:
        assert "CAP_NET_ADMIN" in server.wait_for("rpc.unfiltered")["message"]
        context = unregistered(server, tmp_path)
        with bounded(server):
            loop_until("rpc.hung_up", server, context)
        assert len(server.logged("rpc.unfiltered")) == 1
