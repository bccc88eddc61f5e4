"""The disk fails under a server that serves: what it says, to whom, and what the next one finds."""

import asyncio
import errno
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2

from nc.client import Client as Administrator
from nc.client import Context
from nc.client.errors import NotNow
from nc.pb import network_controller_pb2 as pb
from nc.pb import sensor_pb2
from tests.crash.crash_load import BOOTSTRAP, CONTROL, INTERNAL, ask
from tests.crash.history import read_history
from tests.support.server_process import CHANNEL_OPTIONS, ServerProcess

ON_ODD_DISK = Path(__file__).with_name("on_odd_disk.py")

SENTENCE = "the event log cannot be written; the operator finds why in the server's log"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Client:
    """Every call, once over its own channel."""

    def __init__(self, server: ServerProcess) -> None:
        self._targets = {
            CONTROL: (server.control_target, server.credentials(admin=True)),
            INTERNAL: (server.control_target, server.credentials(admin=True)),
            BOOTSTRAP: (server.bootstrap_target, server.credentials(admin=False)),
            "/grpc.health.v1.Health/": (server.control_target, server.credentials(admin=True)),
        }

    def call(self, service: str, method: str, request: Any, answer: Any) -> Any:
        async def go() -> Any:
            target, credentials = self._targets[service]
            async with grpc.aio.secure_channel(target, credentials, CHANNEL_OPTIONS) as channel:
                return await ask(channel, service + method, request, answer, "disk")

        return asyncio.run(go())

    def issue(self) -> Any:
        request = pb.GetBootStrapTokenRequest(expireTime=-1)
        return self.call(CONTROL, "GetBootStrapToken", request, pb.GetBootStrapTokenResponse)

    def redeem(self, token: str) -> Any:
        request = pb.GetTokenRequest(bootStrapToken=token)
        return self.call(BOOTSTRAP, "GetToken", request, pb.GetTokenResponse)

    def unregister(self, token: str) -> Any:
        request = pb.UnRegisterRequest(token=token)
        return self.call(CONTROL, "UnRegister", request, pb.UnRegisterResponse)

    def expire(self, token: str) -> Any:
        """Set a node's expiry."""
        listed = [sensor_pb2.SensorExpire(deviceToken=token.encode(), expireTime=2_000_000_000)]
        request = sensor_pb2.SensorExpireTimeRequest(sensorExpire=listed)
        answer = sensor_pb2.SensorExpireTimeResponse
        return self.call(INTERNAL, "UpdateSensorExpireTime", request, answer)

    def state(self, token: str) -> Any:
        request = pb.CheckConnStateRequest(token=token)
        return self.call(CONTROL, "CheckConnState", request, pb.CheckConnResponse)

    def health(self) -> tuple[str, int]:
        """Our own answer, and the standard one."""
        own = self.call(BOOTSTRAP, "HealthCheck", pb.HealthCheckRequest(), pb.HealthCheckResponse)
        standard = self.call(
            "/grpc.health.v1.Health/",
            "Check",
            health_pb2.HealthCheckRequest(),
            health_pb2.HealthCheckResponse,
        )
        return own.code, standard.status


COMMANDS: dict[str, Callable[[Client, str, str], Any]] = {
    "GetBootStrapToken": lambda client, _bootstrap, _node: client.issue(),
    "GetToken": lambda client, bootstrap, _node: client.redeem(bootstrap),
    "UnRegister": lambda client, _bootstrap, node: client.unregister(node),
    "UpdateSensorExpireTime": lambda client, _bootstrap, node: client.expire(node),
}


def refusals(client: Client, bootstrap_token: str, node_token: str) -> set[tuple[str, str]]:
    """What every command is answered, asked twice."""
    answers = [call(client, bootstrap_token, node_token) for call in (*COMMANDS.values(),) * 2]
    return {(answer.code, answer.message) for answer in answers}


def test_a_failing_disk_is_told_and_survived(data_dir: Path, tmp_path: Path) -> None:
    """Commands are "500" from then on, queries go on, health says so, and it stops cleanly.

    One critical line tells the operator what to do, and a server on a good disk goes on from what
    was acknowledged.
    """
    broken = tmp_path / "broken"
    command = (sys.executable, str(ON_ODD_DISK), f"failing:{broken}:{errno.EIO}", "serve")
    with ServerProcess(data_dir, command=command) as server:
        client = Client(server)
        bootstrap_token = client.issue().bootStrapToken
        node_token = client.redeem(bootstrap_token).token
        assert client.health() == ("200", SERVING)
        broken.touch()
        assert refusals(client, bootstrap_token, node_token) == {("500", SENTENCE)}
        (line,) = [server.wait_for("log.unavailable")]
        assert line["level"] == "critical"
        assert "remove the cause" in line["message"]
        assert client.state(node_token).code == "200"
        assert client.state("0" * 16).code == "400"
        assert client.health() == ("500", NOT_SERVING)
        assert server.stop() == 0
        assert len(server.logged("log.unavailable")) == 1
        assert server.logged("rpc.crashed") == []
        assert b"Traceback" not in server.stderr
    with ServerProcess(data_dir) as server:
        client = Client(server)
        assert client.state(node_token).code == "200"
        assert client.redeem(bootstrap_token).code == "200"
        assert client.health() == ("200", SERVING)
        assert server.stop() == 0
    history, _ = read_history(data_dir / "log")
    assert len(history.nodes) == 2
    assert len(history.starts) == 2
    assert history.stops == [history.last_seq]


def test_a_full_disk_is_waited_for(data_dir: Path, tmp_path: Path) -> None:
    """While the disk is full nothing changes and queries go on; with space, so does all else."""
    full = tmp_path / "full"
    command = (sys.executable, str(ON_ODD_DISK), f"failing:{full}:{errno.ENOSPC}", "serve")
    with ServerProcess(data_dir, command=command) as server:
        client = Client(server)
        bootstrap_token = client.issue().bootStrapToken
        node_token = client.redeem(bootstrap_token).token
        full.touch()
        ((code, message),) = refusals(client, bootstrap_token, node_token)
        assert code == "500"
        assert "disk is full" in message
        place = Context.of_data_dir(data_dir, port=server.control_port)
        with Administrator(place) as administrator, pytest.raises(NotNow) as refused:
            administrator.tokens.issue(lifetime=timedelta(hours=1))
        assert str(refused.value) == message
        assert server.wait_for("log.full")["level"] == "error"
        assert client.state(node_token).code == "200"
        assert client.health() == ("500", NOT_SERVING)
        full.unlink()
        server.wait_for("log.writable")
        assert client.health() == ("200", SERVING)
        assert client.unregister(node_token).code == "200"
        assert server.stop() == 0
        assert server.logged("log.unavailable") == []
    history, _ = read_history(data_dir / "log")
    assert len(history.starts) == len(history.stops) == 1
