"""A machine that joins a server: its invitation, its agent, and what either knows of the node."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from eventlog import LogReader
from nc.agent.state import StateFolder
from nc.certificate_files import FolderPaths
from nc.client.channel import Channel
from nc.client.tls import ClientTls
from nc.domain.codec.records import events_in
from nc.pb import network_controller_pb2 as pb
from nc.pb import sensor_pb2
from tests.support.agent_process import AgentProcess
from tests.support.server_process import ServerProcess

CREATE = ("create-bootstrap-token",)


def admin(server: ServerProcess, method: str, request: Message) -> Any:
    """Call the control port as the administrator."""

    async def call() -> Any:
        pki = FolderPaths.within(server.data_dir / "pki" / "grpc")
        files = (path.read_bytes() for path in (pki.ca, pki.client_key, pki.client))
        async with Channel("127.0.0.1", server.control_port, ClientTls(*files)) as client:
            return await client.call(method, request)

    answer = asyncio.run(call())
    assert answer.code == "200", answer
    return answer


def invite(server: ServerProcess) -> str:
    """A new TOKEN@IP:PORT."""
    answer = admin(server, "GetBootStrapToken", pb.GetBootStrapTokenRequest())
    return f"{answer.bootStrapToken}@{answer.cloudIp}:{answer.port}"


def agent(state: Path, *arguments: str, **environment: str) -> AgentProcess:
    """An agent without TUN."""
    everything = os.environ | environment
    return AgentProcess("--no-tun", "--state-dir", state, *arguments, environment=everything)


def token_in(state: Path) -> str:
    """The node token that is kept."""
    return str(json.loads((state / "node.json").read_bytes())["token"])


def node_id_in(state: Path) -> str | None:
    """The id of the node that is kept."""
    node = StateFolder(state).load()
    assert node is not None
    return node.node_id()


def state_of(server: ServerProcess, state: Path) -> int:
    """The node's connection state, as the API numbers it."""
    request = pb.CheckConnStateRequest(token=token_in(state))
    return int(admin(server, "CheckConnState", request).connState)


def set_expiry(server: ServerProcess, state: Path, at_s: int) -> None:
    """Let the node's token expire at a moment, 0 for never."""
    sensor = sensor_pb2.SensorExpire(deviceToken=token_in(state).encode(), expireTime=at_s)
    request = sensor_pb2.SensorExpireTimeRequest(sensorExpire=[sensor])
    admin(server, "UpdateSensorExpireTime", request)


def redeemed(server: ServerProcess) -> int:
    """How often a bootstrap token was redeemed, by the log: a line about it may still come."""
    kinds = [event.WhichOneof("kind") for event in events_in(LogReader(server.log_dir).read())]
    return kinds.count("node_registered")
