"""How long are calls not answered after a server was killed? For `replicas.py`."""

import asyncio
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import grpc

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks.cluster import Server
from benchmarks.servers import SERVICE
from nc.pb import network_controller_pb2 as pb

COMMAND = pb.GetBootStrapTokenRequest(expireTime=10)
CALL_S = 30.0  # beyond what a server lets wait
PAUSE_S = 0.005  # between two questions to one server


async def after_kill(killed: Server, survivors: list[Server], node: str) -> dict[str, float]:
    """Kill it; how long commands and queries were not answered, seconds."""
    channels = [Channel(server) for server in survivors]
    try:
        for channel in channels:  # connected before the kill
            await channel.insist(channel.query(node))
        killed.kill()
        began = time.perf_counter()
        ended = asyncio.Event()
        asking = [asyncio.create_task(channel.silence(node, ended)) for channel in channels]
        command_s = await channels[0].insist(channels[0].command()) - began
        ended.set()
        return {"command": command_s, "silence": max(await asyncio.gather(*asking))}
    finally:
        for channel in channels:
            await channel.close()


class Channel:
    """Calls of one server."""

    def __init__(self, server: Server) -> None:
        pems = ((server.pki / f"{n}.pem").read_bytes() for n in ("ca", "client-key", "client"))
        self._channel = grpc.aio.secure_channel(
            f"127.0.0.1:{server.running.port}", grpc.ssl_channel_credentials(*pems)
        )

    def command(self) -> "Call":
        return Call(self._channel, "GetBootStrapToken", COMMAND, pb.GetBootStrapTokenResponse)

    def query(self, node: str) -> "Call":
        request = pb.CheckConnStateRequest(token=node)
        return Call(self._channel, "CheckConnState", request, pb.CheckConnResponse)

    @staticmethod
    async def insist(call: "Call") -> float:
        """Call until the answer says 200; when that was."""
        while True:
            if await call():
                return time.perf_counter()
            await asyncio.sleep(PAUSE_S)

    async def silence(self, node: str, ended: asyncio.Event) -> float:
        """The longest time until an answer, from now until one that was asked for after the end."""
        longest_s, answered = 0.0, time.perf_counter()
        is_last = False
        while not is_last:
            is_last = ended.is_set()
            now = await self.insist(self.query(node))
            longest_s, answered = max(longest_s, now - answered), now
            await asyncio.sleep(PAUSE_S)
        return longest_s

    async def close(self) -> None:
        await self._channel.close()


class Call(NamedTuple):
    """A call that may be made again."""

    channel: grpc.aio.Channel
    method: str
    request: Any
    response: Any

    async def __call__(self) -> bool:
        """Whether the answer says 200."""
        call: Any = self.channel.unary_unary(SERVICE + self.method)
        try:
            answer = await call(self.request.SerializeToString(), timeout=CALL_S)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            return False
        return bool(self.response.FromString(answer).code == "200")
