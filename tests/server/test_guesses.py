"""Wrong bootstrap tokens on the bootstrap port of a whole server, over TLS."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest

from nc import log_events
from nc.client.channel import BOOTSTRAP_PORT, Channel
from nc.client.errors import CallFailed
from nc.client.tls import ClientTls
from nc.pb import network_controller_pb2 as pb
from nc.rpc.abuse import GUESSES_AT_ONCE
from tests.support.whole_server import LOOPBACK, Lines, MovableClock, WholeServer, admin, running


def newcomer(server: WholeServer) -> Channel:
    """A machine without a certificate."""
    tls = ClientTls(server.certificates.grpc.paths.ca.read_bytes())
    return Channel(LOOPBACK, server.endpoints.bootstrap_port, tls, BOOTSTRAP_PORT)


def redeem(machine: Channel, token: str) -> Any:
    return machine.call("GetToken", pb.GetTokenRequest(bootStrapToken=token))


async def test_guesses_end_and_enrolling_does_not(tmp_path: Path) -> None:
    """An address that guesses is refused with what to do; later its valid token is accepted.

    The administrator is not concerned, nor are machines that enrolled before from that address.
    """
    clock, lines = MovableClock(), Lines()
    async with (
        running(tmp_path / "data", clock, lines, guess_rate=0.01) as server,
        admin(server) as administrator,
        newcomer(server) as machine,
    ):
        issued = await administrator.call("GetBootStrapToken", pb.GetBootStrapTokenRequest())
        token = issued.bootStrapToken
        enrolled = await asyncio.gather(*(redeem(machine, token) for _ in range(20)))
        assert {answer.code for answer in enrolled} == {"200"}
        wrong = (f"{number:016x}" for number in range(GUESSES_AT_ONCE))
        answers = await asyncio.gather(*(redeem(machine, guess) for guess in wrong))
        assert {answer.code for answer in answers} == {"400"}
        with pytest.raises(CallFailed, match="too many wrong tokens") as refused:
            await redeem(machine, token)
        assert refused.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        redeemed = await administrator.call("GetToken", pb.GetTokenRequest(bootStrapToken=token))
        assert redeemed.code == "200"
        clock.ahead_ms += 100_000
        assert (await redeem(machine, token)).code == "200"
        assert server.server.abuse.wrong_tokens == GUESSES_AT_ONCE
    (line, *_) = lines.named(log_events.RPC_GUESSES)
    assert line["party"] == LOOPBACK
    (stopped,) = lines.named(log_events.SERVER_STOPPED)
    assert stopped["wrong_tokens"] == server.server.abuse.wrong_tokens
