"""Rapid resets (CVE-2023-44487): calls that their caller begins and cancels at once.

The number of calls under way stays small, and the server has made something for each of them.
"""

import contextlib
import socket
import struct
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import grpc
import pytest

from nc.pb import network_controller_pb2 as pb
from nc.services import BOOTSTRAP_SERVICE, CONTROL_SERVICE
from tests.fuzz.raw_http2 import (
    ACK,
    PING,
    RST_STREAM,
    Peer,
    call,
    connect,
    frame,
)
from tests.fuzz.watch import Watched
from tests.fuzz.watch import call as checked_call
from tests.support.server_process import ServerProcess

RESETS = 60_000
RESETS_AT_ONCE = 100
BETWEEN_CALLS_S = 0.05  # of somebody else
RETRANSMITS_AT = 2  # in `struct tcp_info`, linux/tcp.h
CANCEL = struct.pack(">I", 8)

# Without protection, each of up to 32,768 cancelled calls takes some 18 KiB until it is looked at.
MEMORY_MIB = 64


@pytest.mark.parametrize("port_name", ["bootstrap", "control"])
def test_resets_of_one_connection_take_little_memory_and_nobody_elses_calls(
    port_name: str, tmp_path: Path
) -> None:
    """While one connection resets call after call, memory is bounded and others are answered."""
    with ServerProcess(tmp_path / "data", "--plaintext") as server:
        watched = Watched(server, plaintext=True)
        before_mib = server.peak_memory_mib
        is_control = port_name == "control"
        port = server.control_port if is_control else server.bootstrap_port
        service = CONTROL_SERVICE if is_control else BOOTSTRAP_SERVICE
        path = f"/{service.full_name}/HealthCheck"
        channel = connect(server, port, plaintext=True, certificate=False)
        target = server.control_target if is_control else server.bootstrap_target
        with ThreadPoolExecutor(2) as threads:
            attack = threads.submit(_reset, channel, path.encode(), threads)
            while not attack.done():
                with watched.channel(target, admin=is_control) as other:
                    outcome = checked_call(other, path, b"")
                assert outcome.status is grpc.StatusCode.OK
                assert pb.HealthCheckResponse.FromString(outcome.body).code == "200"
                _leave_if_silent(channel)
                wait([attack], BETWEEN_CALLS_S)
            attack.result()
        watched.assert_unharmed()
        assert server.peak_memory_mib - before_mib < MEMORY_MIB
        assert server.stop() == 0


def _leave_if_silent(channel: socket.socket) -> None:
    """End a connection of which the server takes nothing any more: it would hang up in a while.

    What the kernel has sent again and again is dropped there, which loopback itself never does.
    """
    with contextlib.suppress(OSError):  # it has ended
        info = channel.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, RETRANSMITS_AT + 1)
        if info[RETRANSMITS_AT] > 1:
            channel.shutdown(socket.SHUT_RDWR)


def _reset(channel: socket.socket, path: bytes, threads: ThreadPoolExecutor) -> None:
    """Begin and cancel calls, and acknowledge what has to be, until all are sent or it hangs up."""
    acknowledgements: list[bytes] = []

    def read() -> None:
        with contextlib.suppress(OSError):
            for kind, flags, _, payload in peer.frames():
                if kind == PING and not flags & ACK:
                    acknowledgements.append(frame(PING, payload, ACK))

    # The server hung up, or it heard nothing any more.
    with channel, contextlib.suppress(ConnectionError):
        peer = Peer(channel)
        reading = threads.submit(read)
        for first in range(0, RESETS, RESETS_AT_ONCE):
            streams = (2 * number + 1 for number in range(first, first + RESETS_AT_ONCE))
            data = b"".join(
                call(stream, path) + frame(RST_STREAM, CANCEL, stream=stream) for stream in streams
            )
            while acknowledgements:
                data += acknowledgements.pop()
            channel.sendall(data)
        channel.shutdown(socket.SHUT_RDWR)
        reading.result()
