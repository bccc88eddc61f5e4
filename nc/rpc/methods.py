"""The table of the methods: what each takes, does, answers when it refuses, and requires."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

from nc.contract import WIRE_STATES
from nc.pb import network_controller_pb2 as pb
from nc.rpc.api import Call
from nc.rpc.controller import Controller
from nc.rpc.permissions import Permission
from nc.services import ADMIN_SERVICE, CONTROL_SERVICE, INTERNAL_SERVICE

Operation = Callable[[Any, Call], Awaitable[Message]]
Refuse = Callable[[str, str], Message]  # code and message to the response that carries them


@dataclass(frozen=True, slots=True)
class Method:
    """One method, as the edge needs to know it."""

    name: str
    parse: Callable[[bytes], Message]  # raises DecodeError
    operation: Operation
    refuse: Refuse
    permission: Permission


def methods_of(controller: Controller) -> dict[str, Method]:
    """Every method by its name; the names are the same on both ports, and so are the answers."""
    rules: dict[str, tuple[Operation, Permission]] = {
        "HelloWorld": (controller.hello_world, Permission.ANYONE),
        "HealthCheck": (controller.health_check, Permission.ANYONE),
        "GetBootStrapToken": (controller.get_bootstrap_token, Permission.ADMIN),
        "GetToken": (controller.get_token, Permission.ANYONE),
        "CheckConnState": (controller.check_conn_state, Permission.MEMBER),
        "UnRegister": (controller.unregister, Permission.MEMBER),
        "GetRegistedIp": (controller.get_registered_ip, Permission.MEMBER),
        "UpdateSensorExpireTime": (controller.update_sensor_expire_time, Permission.ADMIN),
        "TakeBack": (controller.take_back, Permission.ADMIN),
    }
    return {
        method.name: Method(method.name, _parser(method), operation, _refuser(method), permission)
        for service in (CONTROL_SERVICE, INTERNAL_SERVICE, ADMIN_SERVICE)
        for method in service.methods
        for operation, permission in [rules[method.name]]
    }


def _parser(method: MethodDescriptor) -> Callable[[bytes], Message]:
    if method.name == "GetBootStrapToken":
        return _wide_bootstrap_token_request().FromString
    return message_factory.GetMessageClass(method.input_type).FromString


def _refuser(method: MethodDescriptor) -> Refuse:
    match method.name:
        case "HelloWorld":  # its response has one field, a text
            return lambda code, message: pb.HelloWorldResponse(thanks_text=f"{code}: {message}")
        case "HealthCheck":  # and this one has a code alone
            return lambda code, _: pb.HealthCheckResponse(code=code)
        case "CheckConnState":
            idle = WIRE_STATES["IDLE"]
            return lambda code, message: pb.CheckConnResponse(
                code=code, message=message, connState=idle
            )
    return partial(_refuse, message_factory.GetMessageClass(method.output_type))


def _refuse(response: Callable[..., Message], code: str, message: str) -> Message:
    return response(code=code, message=message)


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
    pool = DescriptorPool()
    pool.Add(file)
    descriptor = pool.FindMessageTypeByName("pb.GetBootStrapTokenRequest")
    return message_factory.GetMessageClass(descriptor)
