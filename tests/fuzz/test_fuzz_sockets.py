"""What is not gRPC, on every port: noise, other protocols, HTTP/2 that no client would send."""

import contextlib
import datetime as dt
import re
import shutil
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nc.pb import network_controller_pb2 as pb
from nc.pki.authority import self_signed
from nc.pki.certificates import AuthorityKind
from nc.rpc.servers import Credentials
from tests.fuzz.raw_http2 import (
    DATA,
    END_HEADERS,
    HEADERS,
    PREFACE,
    SETTINGS,
    connect,
    converse,
    exchange,
    frame,
    request,
)
from tests.fuzz.watch import DEADLINE_S, Watched
from tests.support.server_process import LOOPBACK, PATIENCE_S, ServerProcess

GREETING = b"/pb.LiteKubeNCService/HelloWorld"
HALF_OPEN = 200
BURSTS = 60  # a port
BURST_THREADS = 8
BURST_SOCKETS = 50

FUZZ = settings(
    deadline=None,
    print_blob=True,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

_frames = st.builds(
    frame, st.integers(0, 12), st.binary(max_size=60), st.integers(0, 255), st.integers(0, 5)
)
NOISE = st.one_of(
    st.binary(max_size=300),
    st.binary(max_size=100).map(lambda tail: PREFACE + tail),
    st.lists(_frames, max_size=5).map(lambda frames: PREFACE + b"".join(frames)),
    st.lists(_frames, max_size=5).map(
        lambda frames: (
            PREFACE + frame(SETTINGS) + request(GREETING)[len(PREFACE) :] + frames[0]
            if frames
            else PREFACE
        )
    ),
    st.binary(max_size=100).map(
        lambda tail: b"\x16\x03\x01\x00\x80\x01\x00\x00\x7c\x03\x03" + tail
    ),
)


@FUZZ
@given(noise=NOISE)
@example(noise=b"")
@example(noise=b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
@example(noise=b"POST /pb.LiteKubeNCService/HelloWorld HTTP/1.1\r\nContent-Length: 9\r\n\r\n")
@example(noise=b"SSH-2.0-OpenSSH_9.9\r\n")
@example(noise=PREFACE + frame(SETTINGS) + frame(HEADERS, b"\xff" * 60, END_HEADERS, 1))
@example(noise=PREFACE + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01")
def test_noise_is_hung_up_on(secure: Watched, plain: Watched, noise: bytes) -> None:
    """Whatever arrives on a socket, before TLS or within it, the server hangs up in the end."""
    for watched in (secure, plain):
        server = watched.server
        for port in (server.control_port, server.bootstrap_port):
            raw = socket.create_connection((LOOPBACK, port), timeout=PATIENCE_S)
            _assert_says_nothing(converse(raw, noise))
            if not watched.plaintext:
                mutual = port == server.control_port
                _assert_says_nothing(
                    converse(connect(server, port, plaintext=False, certificate=mutual), noise)
                )


def _assert_says_nothing(received: bytes) -> None:
    for telling in (b"Traceback", b"Exception", b".py", b"Error(", b"<class"):
        assert telling not in received


@pytest.mark.parametrize("alpn", ["http/1.1", "spdy/3", "h3"])
def test_another_protocol_over_tls_is_hung_up_on(alpn: str, secure: Watched) -> None:
    """A TLS client that speaks no HTTP/2 gets nothing."""
    server = secure.server
    for port in (server.control_port, server.bootstrap_port):
        channel = connect(server, port, alpn=alpn, plaintext=False, certificate=True)
        assert b"HTTP/1.1 200" not in converse(channel, b"GET / HTTP/1.1\r\n\r\n")


def test_without_a_certificate_the_control_port_is_closed(secure: Watched) -> None:
    """The handshake of a client without a certificate fails, before any request is read."""
    server = secure.server
    channel = connect(server, server.control_port, plaintext=False, certificate=False)
    received = b""
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        received = exchange(channel, request(GREETING))
    assert b"hello" not in received


@FUZZ
@given(value=st.binary(max_size=300))
@example(value=b"\xff\xfe")
@example(value=b"a\r\nx-evil: b")
@example(value=b"\x1b]0;title\x07")
@example(value=b"\xc3\xa9")
@example(value=b"a" * 128)
@example(value=b"a" * 129)
def test_no_request_id_of_odd_bytes_is_taken_over(plain: Watched, value: bytes) -> None:
    """An id of odd bytes is of no form that is used: a new one is made."""
    port = plain.server.control_port
    channel = connect(plain.server, port, plaintext=True, certificate=False)
    received = exchange(channel, request(GREETING, fields=[(b"x-request-id", value)]))
    assert re.search(rb"x-request-id\x14[0-9a-f]{20}", received)


@pytest.mark.parametrize(
    "fields",
    [
        [(b":path", b"/twice")],
        [(b"grpc-timeout", b"99999999999999H")],
        [(b"grpc-timeout", b"-1S")],
        [(b"grpc-encoding", b"rot13")],
        [(b"content-length", b"-1")],
        [(b"X-Upper", b"case")],
        [(b"", b"nameless")],
        [(b"connection", b"close"), (b"transfer-encoding", b"chunked")],
        [(b"grpc-tags-bin", b"not base64!")],
        [(bytes([n]), b"control") for n in range(1, 32)],
        [(b"a%d" % n, b"b" * 50) for n in range(100)],
    ],
    ids=lambda fields: fields[0][0].decode("latin-1").strip() or "empty",
)
def test_odd_headers_harm_nobody(fields: list[tuple[bytes, bytes]], plain: Watched) -> None:
    """Headers that HTTP/2 or gRPC forbid end their own stream or connection, and no other."""
    for port in (plain.server.control_port, plain.server.bootstrap_port):
        channel = connect(plain.server, port, plaintext=True, certificate=False)
        _assert_says_nothing(converse(channel, request(GREETING, fields=fields)))


def test_a_message_that_lies_about_its_length_harms_nobody(plain: Watched) -> None:
    """The five bytes that gRPC puts before a message may lie, too."""
    headers = request(GREETING).split(frame(DATA, b"\x00" * 5, 1, 1))[0]
    for prefix in (
        b"\x00\xff\xff\xff\xff",
        b"\x00\x00\x00\x00\x09",
        b"\x01\x00\x00\x00\x01",
        b"\x07",
    ):
        channel = connect(
            plain.server, plain.server.control_port, plaintext=True, certificate=False
        )
        _assert_says_nothing(converse(channel, headers + frame(DATA, prefix + b"x", 1, 1)))


def test_bursts_of_connections_do_not_crash_tls(secure: Watched) -> None:
    """Thousands of sockets that come and go at once, mid-handshake, leave the process alive.

    gRPC frees the certificates that other threads' handshakes are using whenever it is given some.
    """
    server = secure.server

    def burst(port: int) -> None:
        sockets = [
            socket.create_connection((LOOPBACK, port), timeout=PATIENCE_S)
            for _ in range(BURST_SOCKETS)
        ]
        for channel in sockets:
            channel.close()

    with ThreadPoolExecutor(BURST_THREADS) as threads:
        ports = (server.control_port, server.bootstrap_port)
        list(threads.map(burst, ports * BURSTS))
    secure.assert_unharmed()


def test_grpc_is_given_certificates_only_when_they_are_new() -> None:
    """As above, at its root: a handshake finds something to replace once, and only once."""
    now = dt.datetime.now(dt.UTC)
    ca = self_signed(AuthorityKind.GRPC, ec.generate_private_key(ec.SECP256R1()), now, 1)
    issued = ca.issue_server(["localhost"], now, 2)
    files = (issued.key_pem, issued.certificate_pem)
    credentials = Credentials(*files, client_ca_pem=None)
    credentials.for_server()
    assert [credentials._take_replacement() for _ in range(3)] == [None] * 3
    credentials.replace(*files, client_ca_pem=None)
    assert credentials._take_replacement() is not None
    assert [credentials._take_replacement() for _ in range(3)] == [None] * 3


def test_connections_that_say_nothing_keep_nobody_out(secure: Watched) -> None:
    """Two hundred sockets that are opened and left silent: others are served meanwhile."""
    server = secure.server
    silent = [
        socket.create_connection((LOOPBACK, port), timeout=PATIENCE_S)
        for port in (server.control_port, server.bootstrap_port)
        for _ in range(HALF_OPEN // 2)
    ]
    try:
        secure.assert_unharmed()
    finally:
        for channel in silent:
            channel.close()


@pytest.mark.parametrize("plaintext", [False, True], ids=["tls", "plain"])
def test_a_path_that_is_not_utf8_closes_no_port(plaintext: bool, tmp_path: Path) -> None:
    """Requests with bytes that are no text for a path must not end a port, nor a watch on it."""
    with ServerProcess(tmp_path / "data", *(["--plaintext"] if plaintext else [])) as server:
        watched = Watched(server, plaintext=plaintext)
        with watched.channel(server.bootstrap_target, admin=False) as watcher:
            watch: Any = watcher.unary_stream("/grpc.health.v1.Health/Watch")
            watching = watch(b"", timeout=DEADLINE_S)
            next(watching)
            for attack in range(6):
                port = (server.bootstrap_port, server.control_port)[attack % 2]
                mutual = port == server.control_port
                with connect(server, port, plaintext=plaintext, certificate=mutual) as channel:
                    assert exchange(channel, request(b"\xff\xfe"))
            assert watching.is_active()
        for target in (server.control_target, server.bootstrap_target):
            with watched.channel(target, admin=True) as fresh:
                rpc: Any = fresh.unary_unary("/pb.LiteKubeNCService/HealthCheck")
                answer = rpc(b"", timeout=DEADLINE_S, wait_for_ready=True)
            assert pb.HealthCheckResponse.FromString(answer).code == "200"
        assert server.stop() == 0
    shutil.rmtree(tmp_path / "data")
