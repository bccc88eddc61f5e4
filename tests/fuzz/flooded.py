"""A server that is flooded goes on serving, and takes little memory, and no file for good."""

import base64
import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from nc.pb import network_controller_pb2 as pb
from tests.fuzz.watch import Watched
from tests.fuzz.watch import call as checked_call
from tests.support.server_process import PATIENCE_S, ServerProcess

CONTROL = "/pb.LiteKubeNCService/"
HEALTH_CHECK = b"/pb.LiteKubeNCBootstrapService/HealthCheck"
MEMORY_MIB = 64


def open_files(server: ServerProcess) -> int:
    try:
        return len(list(Path(f"/proc/{server.pid}/fd").iterdir()))
    except PermissionError:  # it forbids core files, and was not forked
        pytest.skip("only root may count the files of a program as a shell starts it")


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


def a_node(server: ServerProcess, folder: Path) -> tuple[str, ssl.SSLContext]:
    """A new node's token, and its identity at the control port, of files in a folder."""
    with Watched(server, plaintext=False).channel(server.control_target, admin=True) as channel:
        issued = pb.GetBootStrapTokenResponse.FromString(
            checked_call(channel, CONTROL + "GetBootStrapToken", b"").body
        )
        redeemed = pb.GetTokenRequest(bootStrapToken=issued.bootStrapToken).SerializeToString()
        node = pb.GetTokenResponse.FromString(
            checked_call(channel, CONTROL + "GetToken", redeemed).body
        )
    (folder / "node.pem").write_bytes(base64.b64decode(node.GrpcClientCert))
    (folder / "node-key.pem").write_bytes(base64.b64decode(node.GrpcClientKey))
    context = ssl.create_default_context(cadata=base64.b64decode(node.GrpcCaCert).decode())
    context.set_alpn_protocols(["h2"])
    context.load_cert_chain(folder / "node.pem", folder / "node-key.pem")
    return node.token, context


@contextlib.contextmanager
def bounded(server: ServerProcess, memory_mib: int = MEMORY_MIB, silent: int = 0) -> Iterator[None]:
    """What happens within takes so much memory at most, and no file for good.

    But for those of so many silent connections, which end after a while as
    `test_a_connection_is_silent_before_it_ends` has it.
    """
    assert_serves(server)
    Path(f"/proc/{server.pid}/clear_refs").write_text("5")  # the peak begins anew
    before_mib, before_files = server.peak_memory_mib, open_files(server)
    yield
    assert_serves(server)
    assert server.peak_memory_mib - before_mib < memory_mib
    until(lambda: open_files(server) <= before_files + silent)
    Watched(server, plaintext=False).assert_unharmed()


def drain(channel: socket.socket) -> None:
    """Read what is there, so that the server is not kept from writing."""
    channel.settimeout(0)
    with contextlib.suppress(ssl.SSLWantReadError, BlockingIOError):
        while channel.recv(65536):
            pass
    channel.settimeout(PATIENCE_S)
