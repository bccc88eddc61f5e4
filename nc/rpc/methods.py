"""The table of our methods: what each takes, does, answers when it refuses, and requires."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

from nc.contract import WIRE_STATES
from nc.pb import network_controller_pb2 as pb
from nc.pb import sensor_pb2
from nc.rpc.api import Call
from nc.rpc.controller import Controller
from nc.rpc.permissions import Permission

Operation = Callable[[Any, Call], Awaitable[Message]]


@dataclass(frozen=True, slots=True)
class Method:
    """One method, as the edge needs to know it."""

    name: str
    parse: Callable[[bytes], Message]  # raises DecodeError
    operation: Operation
    refuse: Callable[[str, str], Message]  # code and message to the response that carries them
    permission: Permission


def _wide_bootstrap_token_request() -> type[Message]:
    """GetBootStrapTokenRequest with its int32 read as the int64 that some clients send.

    The two look the same on the wire, but a number that does not fit 32 bits would lose its upper
    half: 3,000,000,000 minutes would become negative, and so a token that never expires.
    """
    file = descriptor_pb2.FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(file)
    del file.service[:]
    (message,) = (m for m in file.message_type if m.name == "GetBootStrapTokenRequest")
    (field,) = message.field
    field.type = descriptor_pb2.FieldDescriptorProto.TYPE_INT64
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    descriptor = pool.FindMessageTypeByName("pb.GetBootStrapTokenRequest")
    return message_factory.GetMessageClass(descriptor)


def _check_conn_state_refused(code: str, message: str) -> pb.CheckConnResponse:
    return pb.CheckConnResponse(code=code, message=message, connState=WIRE_STATES["IDLE"])


def _hello_world_refused(code: str, message: str) -> pb.HelloWorldResponse:
    return pb.HelloWorldResponse(thanks_text=f"{code}: {message}")


def _health_check_refused(code: str, message: str) -> pb.HealthCheckResponse:
    del message  # it has no place in this response
    return pb.HealthCheckResponse(code=code)


def methods_of(controller: Controller) -> dict[str, Method]:
    """Every method by its name; the names are the same on both ports, and so are the answers."""
    table = (
        Method(
            "HelloWorld",
            pb.HelloWorldRequest.FromString,
            controller.hello_world,
            _hello_world_refused,
            Permission.ANYONE,
        ),
        Method(
            "HealthCheck",
            pb.HealthCheckRequest.FromString,
            controller.health_check,
            _health_check_refused,
            Permission.ANYONE,
        ),
        Method(
            "GetBootStrapToken",
            _wide_bootstrap_token_request().FromString,
            controller.get_bootstrap_token,
            lambda code, message: pb.GetBootStrapTokenResponse(code=code, message=message),
            Permission.ADMIN,
        ),
        Method(
            "GetToken",
            pb.GetTokenRequest.FromString,
            controller.get_token,
            lambda code, message: pb.GetTokenResponse(code=code, message=message),
            Permission.ANYONE,
        ),
        Method(
            "CheckConnState",
            pb.CheckConnStateRequest.FromString,
            controller.check_conn_state,
            _check_conn_state_refused,
            Permission.MEMBER,
        ),
        Method(
            "UnRegister",
            pb.UnRegisterRequest.FromString,
            controller.unregister,
            lambda code, message: pb.UnRegisterResponse(code=code, message=message, result=False),
            Permission.MEMBER,
        ),
        Method(
            "GetRegistedIp",
            pb.GetRegistedIpRequest.FromString,
            controller.get_registered_ip,
            lambda code, message: pb.GetRegistedIpResponse(code=code, message=message),
            Permission.MEMBER,
        ),
        Method(
            "UpdateSensorExpireTime",
            sensor_pb2.SensorExpireTimeRequest.FromString,
            controller.update_sensor_expire_time,
            lambda code, message: sensor_pb2.SensorExpireTimeResponse(code=code, message=message),
            Permission.ADMIN,
        ),
    )
    return {method.name: method for method in table}
