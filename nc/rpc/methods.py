"""The table of the methods: what each takes, does, answers when it refuses, and requires."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

from nc.contract import WIRE_STATES
from nc.domain.errors import DomainError, ListedNodeUnknown
from nc.pb import network_controller_pb2 as pb
from nc.pb import sensor_pb2
from nc.rpc.api import Call
from nc.rpc.controller import Controller
from nc.rpc.permissions import Permission
from nc.services import BOOTSTRAP_SERVICE, CONTROL_SERVICE, INTERNAL_SERVICE, path_of

_INT64 = descriptor_pb2.FieldDescriptorProto.TYPE_INT64
_UINT64 = descriptor_pb2.FieldDescriptorProto.TYPE_UINT64

# A command is awaited, and gives a message; a query is called, and gives the bytes of one.
Command = Callable[[Any, Call], Awaitable[Message]]
Query = Callable[[Any, Call], bytes]
Refuse = Callable[[str, str], Message]  # code and message to the response that carries them


@dataclass(frozen=True, slots=True)
class Method:
    """One unary method, as the edge needs to know it.

    Attributes:
        name: as events and log lines have it.
        parse: raises DecodeError.
        operation: what it does.
        refuse: makes the response that carries a refusal; None: a status carries it.
        reads: it changes nothing, so that a viewer may call it.
        is_query: whether the operation is a query, answered from the state as it is.
        is_health: health checks have places of their own.
        is_standard: it belongs to a service that is not ours.
        tells_if_out_of_touch: a server that is out of touch with the others answers it, too: the
            answer says that it may be out of date.
        check_token: looks at the bootstrap token of a request, and raises if it is a wrong one.
        wrong_token: the error of the operation that shows that a token in the request is wrong;
            raised before the operation waits for anything if the caller may guess.
    """

    name: str
    parse: Callable[[bytes], Message]
    operation: Command | Query
    refuse: Refuse | None
    permission: Permission
    reads: bool = False
    is_query: bool = False
    is_health: bool = False
    is_standard: bool = False
    tells_if_out_of_touch: bool = False
    check_token: Callable[[Any, Call], object] | None = None
    wrong_token: type[DomainError] | None = None

    @property
    def goes_on_at_stop(self) -> bool:
        """Whether it is answered for as long as the port is open."""
        return self.is_standard

    @property
    def takes_tokens(self) -> bool:
        """Whether its answers tell right tokens from wrong ones."""
        return self.check_token is not None or self.wrong_token is not None


class Messages(Protocol):
    """The messages of a stream.

    Each method raises PermissionDenied once the caller may not call any more, and Stopping once the
    server stops, but for standard health checks.
    """

    async def read(self) -> bytes | None:
        """The next one; None when no more come."""

    async def write(self, message: bytes) -> None:
        """Send one; waits until the caller takes it."""

    def check(self) -> None:
        """Nothing but that."""


@dataclass(frozen=True, slots=True)
class StreamMethod:
    """One method whose calls stay open.

    Attributes:
        is_watch: its calls have places of their own.
        goes_on_at_stop: as of `Method`; it ends by itself.
        name, permission, reads, is_standard: as of `Method`.
    """

    name: str
    behaviour: Callable[[Messages, Call], Awaitable[None]]
    permission: Permission = Permission.ANYONE
    reads: bool = True
    goes_on_at_stop: bool = False
    is_standard: bool = True
    is_watch: bool = False


# By their paths, as in `/pb.LiteKubeNCService/GetToken`.
Methods = Mapping[bytes, Method | StreamMethod]


def methods_of(controller: Controller) -> dict[bytes, Method]:
    """LiteKube's methods; those that both ports have are the same, and so are their answers."""
    queries: dict[str, tuple[Query, Permission]] = {
        "HelloWorld": (controller.hello_world, Permission.ANYONE),
        "HealthCheck": (controller.health_check, Permission.ANYONE),
        "CheckConnState": (controller.check_conn_state, Permission.MEMBER),
        "GetRegistedIp": (controller.get_registered_ip, Permission.MEMBER),
    }
    commands: dict[str, tuple[Command, Permission]] = {
        "GetBootStrapToken": (controller.get_bootstrap_token, Permission.ADMIN),
        "GetToken": (controller.get_token, Permission.ANYONE),
        "UnRegister": (controller.unregister, Permission.MEMBER),
        "UpdateSensorExpireTime": (controller.update_sensor_expire_time, Permission.ADMIN),
    }
    rules: dict[str, tuple[Command | Query, Permission]] = {**queries, **commands}
    return {
        path_of(method): Method(
            name,
            _parser(method),
            rules[name][0],
            _refuser(method),
            rules[name][1],
            reads=name in queries,
            is_query=name in queries,
            is_health=name == "HealthCheck",
            check_token=controller.live_bootstrap_token if name == "GetToken" else None,
            wrong_token=ListedNodeUnknown if name == "UpdateSensorExpireTime" else None,
        )
        for service in (CONTROL_SERVICE, BOOTSTRAP_SERVICE, INTERNAL_SERVICE)
        for method in service.methods
        for name in [method.name]
    }


def _parser(method: MethodDescriptor) -> Callable[[bytes], Message]:
    request = WIDE_REQUESTS.get(method.name) or message_factory.GetMessageClass(method.input_type)
    return request.FromString


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


def _widened(request: type[Message], name: str, kind: Any) -> type[Message]:
    """A request with the `expireTime` of a message in its file read as 64 bits.

    The two look the same on the wire, but a number that does not fit 32 bits would lose its upper
    half: 3,000,000,000 minutes would become negative, and so a token that never expires; 2^32
    seconds would be never, and milliseconds another year.
    """
    file = descriptor_pb2.FileDescriptorProto()
    request.DESCRIPTOR.file.CopyToProto(file)
    del file.service[:]
    (message,) = (m for m in file.message_type if m.name == name)
    (field,) = (f for f in message.field if f.name == "expireTime")
    field.type = kind
    pool = DescriptorPool()
    pool.Add(file)
    descriptor = pool.FindMessageTypeByName(request.DESCRIPTOR.full_name)
    return message_factory.GetMessageClass(descriptor)


# By method; in place of those of the .proto files.
WIDE_REQUESTS: Final[dict[str, type[Message]]] = {
    "GetBootStrapToken": _widened(pb.GetBootStrapTokenRequest, "GetBootStrapTokenRequest", _INT64),
    "UpdateSensorExpireTime": _widened(sensor_pb2.SensorExpireTimeRequest, "SensorExpire", _UINT64),
}
