"""Wrong tokens on the ports that ask for no certificate, of a whole server, over TLS."""

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
from nc.pb import sensor_pb2
from nc.rpc.abuse import GUESSES_AT_ONCE
from nc.services import INTERNAL_SERVICE
from tests.support.nats_servers import free_port
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


async def test_guesses_at_node_tokens_end_on_the_internal_port(tmp_path: Path) -> None:
    """Guesses that are sent at once, too; beside a token of one's own, too; administrators' never.

    A refused guess does not tell a right token from a wrong one.
    """
    clock = MovableClock()
    more: dict[str, Any] = {"guess_rate": 0.01, "internal_port": free_port(LOOPBACK)}
    async with (
        running(tmp_path / "data", clock, **more) as server,
        admin(server) as administrator,
        internal(server) as holder,
    ):
        issued = await administrator.call("GetBootStrapToken", pb.GetBootStrapTokenRequest())
        redeem_it = pb.GetTokenRequest(bootStrapToken=issued.bootStrapToken)
        own = (await administrator.call("GetToken", redeem_it)).token
        assert {(await set_expiry(holder, own)).code for _ in range(5)} == {"200"}
        wrong = [f"{number:016x}" for number in range(3 * GUESSES_AT_ONCE)]
        guesses = (set_expiry(holder, own, guess) for guess in wrong)
        answers = await asyncio.gather(*guesses, return_exceptions=True)
        looked_at = [answer for answer in answers if "position 2" in getattr(answer, "message", "")]
        assert len(looked_at) == server.server.abuse.wrong_tokens == GUESSES_AT_ONCE
        with pytest.raises(CallFailed, match="too many wrong tokens") as refused:
            await set_expiry(holder, own)
        assert refused.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert {(await set_expiry(administrator, guess)).code for guess in wrong} == {"400"}
        clock.ahead_ms += 100_000
        assert (await set_expiry(holder, own)).code == "200"


def internal(server: WholeServer) -> Channel:
    """A program that has the server's root certificate and no other."""
    tls = ClientTls(server.certificates.grpc.paths.ca.read_bytes())
    assert server.settings.internal_port
    return Channel(LOOPBACK, server.settings.internal_port, tls, (INTERNAL_SERVICE,))


def set_expiry(client: Channel, *tokens: str) -> Any:
    """Have nodes never expire."""
    sensors = [sensor_pb2.SensorExpire(deviceToken=token.encode()) for token in tokens]
    return client.call(
        "UpdateSensorExpireTime", sensor_pb2.SensorExpireTimeRequest(sensorExpire=sensors)
    )
