"""How long a connection to a gRPC port may stay."""

import asyncio
import socket
from collections.abc import Callable

import pytest

from nc.rpc.servers import Credentials, GrpcPort, bootstrap_port, control_port, internal_port
from tests.fuzz.raw_http2 import GOAWAY, Peer, headers
from tests.support.queue_server import PATIENCE_S, UNARY, serving

AGE = "grpc.max_connection_age"
SHORT_MS = 200


@pytest.mark.parametrize("port", [control_port, bootstrap_port, internal_port])
async def test_a_connection_ends_once_it_is_old(
    port: Callable[[str, int, Credentials | None], GrpcPort],
) -> None:
    """With notice, and then also if its caller leaves a call without a message on it."""
    options = tuple(
        (name, min(value, SHORT_MS) if name.startswith(AGE) else value)
        for name, value in port("127.0.0.1", 0, None).options
    )
    async with serving(options=options) as running:
        address = ("127.0.0.1", running.port.number)
        with socket.create_connection(address, PATIENCE_S) as raw:
            peer = Peer(raw)
            raw.sendall(headers(1, UNARY.encode()))
            kinds = [kind for kind, *_ in await asyncio.to_thread(list, peer.frames())]
        assert GOAWAY in kinds
        await running.until(lambda: running.port.calls_under_way == 0)
