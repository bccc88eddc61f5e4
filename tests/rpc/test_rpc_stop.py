"""What clients on each port see of a real server that is told to stop."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2

from nc.pb.admin.v1 import events_pb2
from tests.support.nats_servers import free_port
from tests.support.server_process import LOOPBACK, ServerProcess

OPTIONS = (("grpc.ssl_target_name_override", "localhost"),)
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
SAID = (grpc.StatusCode.UNAVAILABLE, "the server is shutting down; try again in a moment")

# A method of each port with one message each way.
UNARY = {
    "control": "/pb.LiteKubeNCService/GetBootStrapToken",
    "bootstrap": "/pb.LiteKubeNCBootstrapService/GetToken",
    "internal": "/Internal/UpdateSensorExpireTime",
}


def channel_to(folder: Path, port: int, *, is_plain: bool, is_admin: bool) -> grpc.aio.Channel:
    target = f"{LOOPBACK}:{port}"
    if is_plain:
        return grpc.aio.insecure_channel(target)
    names = ("ca", "client-key", "client") if is_admin else ("ca",)
    pems = [(folder / "pki" / "grpc" / f"{name}.pem").read_bytes() for name in names]
    return grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(*pems), OPTIONS)


class Client:
    """On one port: a call that does not send its message, and streams that have begun."""

    def __init__(self, port: str, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.calls: list[Any] = []
        self._begun: list[Any] = []
        self._never = asyncio.Event()
        call: Any = channel.stream_unary(UNARY[port])
        self.calls.append(call(self._messages()))
        asked = reflection_pb2.ServerReflectionRequest(list_services="").SerializeToString()
        stream: Any = channel.stream_stream(REFLECTION)
        self._begin(stream(self._messages(asked)))
        if port == "control":
            watch: Any = channel.unary_stream("/nc.admin.v1.Events/Watch")
            self._begin(watch(events_pb2.WatchEventsRequest(from_seq=1).SerializeToString()))

    async def begun(self) -> None:
        """Each stream has had an answer."""
        for stream in self._begun:
            await stream.read()

    async def ends(self) -> list[tuple[grpc.StatusCode, str]]:
        for stream in self._begun:
            while await _read(stream):
                pass
        return [(await each.code(), await each.details()) for each in self.calls]

    def _begin(self, stream: Any) -> None:
        self.calls.append(stream)
        self._begun.append(stream)

    async def _messages(self, *messages: bytes) -> AsyncIterator[bytes]:
        for each in messages:
            yield each
        await self._never.wait()


async def _read(stream: Any) -> bool:
    """Whether there was another message."""
    try:
        return await stream.read() is not grpc.aio.EOF
    except grpc.aio.AioRpcError:
        return False


@pytest.mark.parametrize("is_plain", [False, True])
async def test_a_stop_is_said_to_all_that_wait(data_dir: Path, is_plain: bool) -> None:
    """UNAVAILABLE with a sentence, which clients take to try again; not CANCELLED."""
    internal = free_port(LOOPBACK)
    more = ("--internal-port", str(internal), *(("--plaintext",) if is_plain else ()))
    with ServerProcess(data_dir, *more) as server:
        ports = {
            "control": server.control_port,
            "bootstrap": server.bootstrap_port,
            "internal": internal,
        }
        clients = [
            Client(name, channel_to(data_dir, port, is_plain=is_plain, is_admin=name == "control"))
            for name, port in ports.items()
        ]
        for client in clients:
            await client.begun()
        os.kill(server.pid, signal.SIGTERM)
        ends = [end for client in clients for end in await client.ends()]
        for client in clients:
            await client.channel.close()
        assert server.wait() == 0
    assert ends == [SAID] * 7
