"""Floods on the gRPC ports: while they last others are answered, and after them all is given back.

Each sends a fixed amount, however fast the machine is. How long others wait is not measured here
(`benchmarks/hostile.py` does), only that they are answered, and what memory and files are taken.
"""

import base64
import contextlib
import gzip
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from nc.pb import network_controller_pb2 as pb
from nc.rpc.abuse import REFUSALS_OF_ONE_AT_ONCE
from tests.fuzz.raw_http2 import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    PREFACE,
    SETTINGS,
    Peer,
    call,
    connect,
    frame,
    headers,
    literals,
)
from tests.fuzz.watch import Watched
from tests.fuzz.watch import call as checked_call
from tests.support.server_process import LOOPBACK, PATIENCE_S, SERVE, ServerProcess

CONTROL = "/pb.LiteKubeNCService/"
HEALTH_CHECK = b"/pb.LiteKubeNCBootstrapService/HealthCheck"
CONTINUATION = 9
AT_ONCE = 50
MEMORY_MIB = 64
ENDED_S = 2.0  # a connection that was ended may no longer be read, and then takes no more


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("floods") / "data") as running:
        yield running
        assert running.stop() == 0


def open_files(server: ServerProcess) -> int:
    return len(list(Path(f"/proc/{server.pid}/fd").iterdir()))


def until(condition: Callable[[], bool]) -> None:
    """Wait for what the server does by itself."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def assert_serves(server: ServerProcess) -> None:
    """An administrator's durable command and a stranger's health check, on new connections."""
    watched = Watched(server, plaintext=False)
    with watched.channel(server.control_target, admin=True) as channel:
        outcome = checked_call(channel, CONTROL + "GetBootStrapToken", b"")
        assert pb.GetBootStrapTokenResponse.FromString(outcome.body).code == "200"
    with watched.channel(server.bootstrap_target, admin=False) as channel:
        assert checked_call(channel, HEALTH_CHECK.decode(), b"").status is grpc.StatusCode.OK


@contextlib.contextmanager
def bounded(server: ServerProcess, memory_mib: int = MEMORY_MIB) -> Iterator[None]:
    """What happens within takes so much memory at most, and no file for good."""
    assert_serves(server)
    Path(f"/proc/{server.pid}/clear_refs").write_text("5")  # the peak begins anew
    before_mib, before_files = server.peak_memory_mib, open_files(server)
    yield
    assert_serves(server)
    assert server.peak_memory_mib - before_mib < memory_mib
    until(lambda: open_files(server) <= before_files)
    Watched(server, plaintext=False).assert_unharmed()


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


def drain(channel: socket.socket) -> None:
    """Read what is there, so that the server is not kept from writing."""
    channel.settimeout(0)
    with contextlib.suppress(ssl.SSLWantReadError, BlockingIOError):
        while channel.recv(65536):
            pass
    channel.settimeout(PATIENCE_S)


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


def unregistered(server: ServerProcess, folder: Path) -> ssl.SSLContext:
    """The identity of a node that was unregistered."""
    with Watched(server, plaintext=False).channel(server.control_target, admin=True) as channel:
        issued = pb.GetBootStrapTokenResponse.FromString(
            checked_call(channel, CONTROL + "GetBootStrapToken", b"").body
        )
        redeemed = pb.GetTokenRequest(bootStrapToken=issued.bootStrapToken).SerializeToString()
        node = pb.GetTokenResponse.FromString(
            checked_call(channel, CONTROL + "GetToken", redeemed).body
        )
        request = pb.UnRegisterRequest(token=node.token).SerializeToString()
        checked_call(channel, CONTROL + "UnRegister", request)
    (folder / "node.pem").write_bytes(base64.b64decode(node.GrpcClientCert))
    (folder / "node-key.pem").write_bytes(base64.b64decode(node.GrpcClientKey))
    context = ssl.create_default_context(cadata=base64.b64decode(node.GrpcCaCert).decode())
    context.set_alpn_protocols(["h2"])
    context.load_cert_chain(folder / "node.pem", folder / "node-key.pem")
    return context


def test_an_unregistered_node_that_goes_on_is_hung_up_on(
    server: ServerProcess, tmp_path: Path
) -> None:
    """It is refused at the headers, then nothing is; an administrator is served."""
    context = unregistered(server, tmp_path)
    path = (CONTROL + "CheckConnState").encode()
    with bounded(server):
        raw = socket.create_connection((LOOPBACK, server.control_port), PATIENCE_S)
        with context.wrap_socket(raw, server_hostname="localhost") as channel:
            refused = 0
            peer = Peer(channel)
            channel.sendall(b"".join(headers(2 * n + 1, path) for n in range(AT_ONCE)))
            channel.settimeout(0.1)
            while not server.logged("rpc.hung_up"):
                with contextlib.suppress(TimeoutError):  # it is silent, or slow
                    for kind, flags, stream, _ in peer.frames():
                        if kind == HEADERS and flags & END_STREAM:
                            refused += 1
                            channel.sendall(headers(stream + 2 * AT_ONCE, path))
            # so many were refused before the one that was hung up on, which was sent after them
            assert refused >= REFUSALS_OF_ONE_AT_ONCE - AT_ONCE
        assert len(server.logged("rpc.hung_up")) == 1


LOOPING, SYN_S = ("127.0.0.66", 0), 0.2


def test_a_node_that_comes_back_again_and_again_is_held_back(
    server: ServerProcess, tmp_path: Path
) -> None:
    """It begins calls on a connection and leaves it for another; an administrator is served."""
    context = unregistered(server, tmp_path)
    path = (CONTROL + "CheckConnState").encode()
    begun = PREFACE + frame(SETTINGS) + b"".join(headers(2 * n + 1, path) for n in range(100))
    address = (LOOPBACK, server.control_port)
    with bounded(server):
        while not server.logged("rpc.held_back"):
            with contextlib.suppress(TimeoutError, ConnectionError):
                raw = socket.create_connection(address, SYN_S, LOOPING)
                raw.settimeout(PATIENCE_S)
                with context.wrap_socket(raw, server_hostname="localhost") as channel:
                    channel.sendall(begun)
    (line,) = server.logged("rpc.held_back")
    assert line["party"] == LOOPING[0]


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
