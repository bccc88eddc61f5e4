"""Tries at every start whether the grpcio that is installed works as this package needs it."""

import asyncio
from typing import Any, Final

import grpc

from nc.clock import Clock
from nc.errors import OperatorError
from nc.rpc.queue.call import Refusal, ServerCall
from nc.rpc.queue.port import Routes, Streaming, Unary
from nc.rpc.queue.server import QueueServer
from nc.rpc.queue.stream import Stream

# As in pyproject.toml: the oldest version that the tests ran with, and the first that they did not.
OLDEST: Final = (1, 82)
UNTESTED: Final = (1, 86)

_TIMEOUT_S: Final = 10.0


class GrpcioUnsupported(OperatorError):
    """The grpcio that is installed cannot be used."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"grpcio {grpc.__version__} cannot be used: {reason}",
            remedy=f"install one that can: pip install 'grpcio>={_dotted(OLDEST)},<"
            f"{_dotted(UNTESTED)}'",
        )


async def require_supported(clock: Clock, address: str) -> None:
    """Serve one unary call and one stream to ourselves, and stop.

    Args:
        clock: as for a server.
        address: where; no other program may use it.

    Raises:
        GrpcioUnsupported: its version is not a tested one, or something does not work.
    """
    release = tuple(int(part) for part in grpc.__version__.split(".")[:2])
    if not OLDEST <= release < UNTESTED:
        raise GrpcioUnsupported("it was not tested with this program")
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            await _serve_ourselves(clock, address)
    except GrpcioUnsupported:
        raise
    except Exception as error:
        raise GrpcioUnsupported(f"the self-test failed, {type(error).__name__}: {error}") from error


async def _serve_ourselves(clock: Clock, address: str) -> None:
    errors: list[Exception] = []
    gate = _Gate()
    server = QueueServer(clock, errors.append)
    routes: Routes = {b"/t/unary": Unary(ServerCall.reply), b"/t/stream": Streaming(_echo_all)}
    server.listen(address, routes, gate)
    server.start()
    try:
        answers = await asyncio.to_thread(_call, address)
    finally:
        await server.stop(grace_s=1.0)
        if errors:
            raise errors[0]
    if answers != [b"1", b"2", b"3"] or gate.ends != [False, False]:
        raise GrpcioUnsupported(f"the self-test gave {answers} and {gate.ends}")


class _Gate:
    def __init__(self) -> None:
        self.ends: list[bool] = []

    def admit(self, call: ServerCall) -> Refusal | None:
        call.party = call.peer(), call.certificate()
        return None

    def is_to_hang_up(self, _call: ServerCall) -> bool:
        return False

    def ended(self, _call: ServerCall, *, is_cancelled: bool) -> None:
        self.ends.append(is_cancelled)


async def _echo_all(stream: Stream) -> None:
    while (message := await stream.read()) is not None:
        await stream.write(message)


def _call(address: str) -> list[bytes]:
    with grpc.insecure_channel(address) as channel:
        unary: Any = channel.unary_unary("/t/unary")
        stream: Any = channel.stream_stream("/t/stream")
        streamed = stream(iter((b"2", b"3")), timeout=_TIMEOUT_S)
        return [unary(b"1", timeout=_TIMEOUT_S), *streamed]


def _dotted(release: tuple[int, int]) -> str:
    return ".".join(map(str, release))
