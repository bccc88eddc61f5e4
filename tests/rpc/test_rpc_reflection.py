"""Reflection finds every kind of symbol of the services of a port, and nothing else."""

import asyncio

import grpc
import pytest
from google.protobuf import descriptor_pb2
from grpc_reflection.v1alpha import reflection_pb2

from nc.rpc.api import Call
from nc.rpc.callers import ANONYMOUS
from nc.rpc.introspection import Reflection
from nc.services import (
    ADMIN_SERVICES,
    BOOTSTRAP_SERVICE,
    CONTROL_SERVICE,
    INTERNAL_SERVICE,
    JOINING_SERVICE,
    NODE_SERVICE,
)

CONTROL_FILE, HEALTH_FILE = "network_controller.proto", "grpc_health/v1/health.proto"


class Messages:
    """A stream that asks, and keeps what it is answered."""

    def __init__(self, *requests: reflection_pb2.ServerReflectionRequest) -> None:
        self._requests = list(requests)
        self.answers: list[reflection_pb2.ServerReflectionResponse] = []

    async def read(self) -> bytes | None:
        return self._requests.pop(0).SerializeToString() if self._requests else None

    async def write(self, message: bytes) -> None:
        self.answers.append(reflection_pb2.ServerReflectionResponse.FromString(message))

    def check(self) -> None:
        pass


def files_with(symbol: str) -> list[str]:
    """The files that are answered for a symbol; none if it is not found."""
    messages = Messages(reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol))
    reflection = Reflection(
        (
            *(CONTROL_SERVICE, BOOTSTRAP_SERVICE, INTERNAL_SERVICE),
            *(NODE_SERVICE, JOINING_SERVICE, *ADMIN_SERVICES),
        )
    )
    call = Call(ANONYMOUS, "reflection", "1", 0)
    asyncio.run(reflection.behaviour(messages, call))
    (answer,) = messages.answers
    if answer.HasField("error_response"):
        assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
    files = answer.file_descriptor_response.file_descriptor_proto
    return [descriptor_pb2.FileDescriptorProto.FromString(file).name for file in files]


@pytest.mark.parametrize(
    ("symbol", "file"),
    [
        ("pb.LiteKubeNCService", CONTROL_FILE),
        ("pb.LiteKubeNCService.HelloWorld", CONTROL_FILE),
        ("pb.LiteKubeNCService/HelloWorld", CONTROL_FILE),
        ("pb.LiteKubeNCBootstrapService/GetToken", CONTROL_FILE),
        ("pb.HelloWorldRequest", CONTROL_FILE),
        ("pb.HelloWorldRequest.hello_text", CONTROL_FILE),
        ("Internal", "sensor.proto"),
        ("Internal.UpdateSensorExpireTime", "sensor.proto"),
        ("Internal/UpdateSensorExpireTime", "sensor.proto"),
        ("nc.node.v1.Enrolment", "nc/node/v1/node.proto"),
        ("nc.node.v1.Enrolment/Renew", "nc/node/v1/node.proto"),
        ("nc.replica.v1.Joining/Redeem", "nc/replica/v1/joining.proto"),
        ("nc.admin.v1.Nodes", "nc/admin/v1/nodes.proto"),
        ("nc.events.v1.Event", "nc/pb/events.proto"),  # which a message of ours holds
        ("grpc.health.v1.Health.Watch", HEALTH_FILE),
        ("grpc.health.v1.HealthCheckResponse.ServingStatus", HEALTH_FILE),
        ("grpc.health.v1.HealthCheckResponse.SERVING", HEALTH_FILE),
        ("grpc.health.v1.HealthCheckResponse.ServingStatus.SERVING", HEALTH_FILE),
        ("grpc.reflection.v1.ServerReflection", "grpc/reflection/v1/reflection.proto"),
    ],
)
def test_a_symbol_is_found(symbol: str, file: str) -> None:
    """Services, methods in both spellings, messages, fields, enums and their values."""
    assert files_with(symbol) == [file]


def test_a_file_comes_with_those_that_it_imports() -> None:
    """A tool needs no second question to understand a message."""
    files = files_with("nc.admin.v1.Events/Watch")
    assert files == ["nc/admin/v1/events.proto", "nc/pb/events.proto"]


@pytest.mark.parametrize(
    "symbol",
    [
        *("", ".", "/", "pb", "pb.Nothing", "pb.LiteKubeNCService.Nothing"),
        *("Nothing/HelloWorld", "pb.LiteKubeNCService.HelloWorld.x", "nc.events.Batch"),
        "grpc.health.v1.HealthCheckResponse.ServingStatus.NOTHING",
    ],
)
def test_another_symbol_is_not_found(symbol: str) -> None:
    """NOT_FOUND as an answer, and the stream goes on."""
    assert files_with(symbol) == []
