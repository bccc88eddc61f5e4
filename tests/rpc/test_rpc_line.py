"""A follower's connection to the leader, when the follower leaves it."""

import asyncio

import grpc
import pytest
from grpc import aio

from nc.pb.replica.v1 import replication_pb2 as pb
from nc.rpc.replication import line
from nc.rpc.replication.line import GrpcLine, LineBroken
from nc.services import REPLICA_SERVICE, path_of
from tests.support.server_process import LOOPBACK
from tests.support.whole_server import PATIENCE_S

REQUEST = pb.ForwardRequest(session="a")


class Leader:
    """Answers nothing before it may."""

    def __init__(self) -> None:
        self.is_asked, self.may_answer = asyncio.Event(), asyncio.Event()

    async def forward(self, _data: bytes, _context: object) -> bytes:
        self.is_asked.set()
        await self.may_answer.wait()
        return pb.ForwardResponse(seq=7).SerializeToString()

    async def start(self) -> tuple[aio.Server, int]:
        _, path = map(path_of, REPLICA_SERVICE.methods)
        service, _, method = path.decode().strip("/").partition("/")
        handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(
            self.forward
        )
        server = aio.server()
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service, {method: handler}),)
        )
        port = server.add_insecure_port(f"{LOOPBACK}:0")
        await server.start()
        return server, port


@pytest.mark.parametrize("answers", [True, False])
async def test_what_is_under_way_may_be_answered_when_a_line_is_left(
    monkeypatch: pytest.MonkeyPatch, answers: bool
) -> None:
    """As by a leader that hands over, which refuses it; one that says nothing is not waited for."""
    monkeypatch.setattr(line, "_FINISH_S", PATIENCE_S if answers else 0.01)
    leader = Leader()
    server, port = await leader.start()
    left = GrpcLine(f"{LOOPBACK}:{port}", None)
    forwarding = asyncio.create_task(left.forward(REQUEST, PATIENCE_S))
    await leader.is_asked.wait()
    closing = asyncio.create_task(left.close())
    if answers:
        asyncio.get_running_loop().call_soon(leader.may_answer.set)
        assert (await forwarding).seq == 7
    else:
        with pytest.raises(LineBroken):
            await forwarding
        leader.may_answer.set()
    await closing
    await server.stop(None)
