"""The standard services: health, and reflection in both versions that clients use."""

import asyncio
from collections.abc import Iterable
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, text_format
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from nc.rpc.answers import ServiceUnknown
from nc.rpc.api import Call
from nc.rpc.methods import Messages, Method, Methods, StreamMethod
from nc.rpc.permissions import Permission

HEALTH_SERVICE: Any = health_pb2.DESCRIPTOR.services_by_name["Health"]

_REFLECTION_OLD = "grpc.reflection.v1alpha"
_REFLECTION = "grpc.reflection.v1"


def _reflection_v1() -> Any:
    """Reflection v1, which differs from v1alpha in the package's name alone.

    (gRPC server reflection protocol; the Python package knows v1alpha only.)
    """
    old = reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"]
    renamed = text_format.MessageToString(_file_of(old)).replace(_REFLECTION_OLD, _REFLECTION)
    file = text_format.Parse(renamed, descriptor_pb2.FileDescriptorProto())
    file.name = "grpc/reflection/v1/reflection.proto"
    return _pool_of(file).FindServiceByName(f"{_REFLECTION}.ServerReflection")


def _file_of(service: Any) -> descriptor_pb2.FileDescriptorProto:
    return _copy(service.file)


def _copy(descriptor: Any) -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto()
    descriptor.CopyToProto(file)
    return file


def _with_imports(files: Iterable[Any]) -> list[descriptor_pb2.FileDescriptorProto]:
    """The files and all that they import, each once, and behind what it imports."""
    found: dict[str, descriptor_pb2.FileDescriptorProto] = {}

    def add(file: Any) -> None:
        for imported in file.dependencies:
            add(imported)
        found.setdefault(file.name, _copy(file))

    for file in files:
        add(file)
    return list(found.values())


def _pool_of(*files: descriptor_pb2.FileDescriptorProto) -> descriptor_pool.DescriptorPool:
    """A pool of these files alone; what else the process has loaded is not to be reflected."""
    pool = descriptor_pool.DescriptorPool()
    for file in files:
        pool.Add(file)
    return pool


REFLECTION_SERVICES: tuple[Any, ...] = (
    _reflection_v1(),
    reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"],
)


class Health:
    """grpc.health.v1: answers checks, and sends every change to watchers."""

    def __init__(self) -> None:
        self._statuses: dict[str, int] = {}  # HealthCheckResponse.ServingStatus
        self._changed = asyncio.Event()  # another one after each change
        self._is_over = False

    def set(self, services: Iterable[str], status: int) -> None:
        """Set the status of these services; without effect after `end`."""
        if self._is_over:
            return
        self._statuses.update(dict.fromkeys(services, status))
        self._changed.set()
        self._changed = asyncio.Event()

    def end(self) -> None:
        """Set NOT_SERVING for good, send it to watchers, and end their watches."""
        self.set(self._statuses, health_pb2.HealthCheckResponse.NOT_SERVING)
        self._is_over = True

    def check(self, request: health_pb2.HealthCheckRequest, call: Call) -> bytes:
        """The status of a service now.

        Raises:
            ServiceUnknown: there is none of this name.
        """
        del call
        status = self._statuses.get(request.service)
        if status is None:
            raise ServiceUnknown
        return _health(status)

    async def watch(self, messages: Messages, call: Call) -> None:
        """The status of a service now, and at each change.

        Raises:
            DecodeError: the request cannot be read.
        """
        del call
        data = await messages.read()
        if data is None:
            return
        service = health_pb2.HealthCheckRequest.FromString(data).service
        unknown = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        sent = None
        while True:
            changed = self._changed
            status = self._statuses.get(service, unknown)
            if status != sent:
                await messages.write(_health(status))
                sent = status
            elif self._is_over:
                return
            else:
                await changed.wait()


def _health(status: int) -> bytes:
    return health_pb2.HealthCheckResponse(status=status).SerializeToString()


class _Symbols:
    """A descriptor pool that finds files by methods and by enum values, too.

    A method is named as in `package.Service.Method`, or with a slash before the method; tools write
    both. An enum value belongs to the scope around its enum, but is also found within the enum.
    """

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)

    def FindFileContainingSymbol(self, symbol: str) -> Any:  # noqa: N802 - the pool's name for it
        name = symbol.replace("/", ".")
        try:
            return self._pool.FindFileContainingSymbol(name)
        except KeyError:
            parent, _, member = name.rpartition(".")
            file = self._pool.FindFileContainingSymbol(parent)
            if self._has_member(parent, member):
                return file
            raise

    def _has_member(self, parent: str, member: str) -> bool:
        for find, members in (
            (self._pool.FindServiceByName, "methods_by_name"),
            (self._pool.FindEnumTypeByName, "values_by_name"),
        ):
            try:
                return member in getattr(find(parent), members)
            except KeyError:
                continue
        return False


class Reflection:
    """Answers what tools ask about the services of a port."""

    def __init__(self, services: Iterable[ServiceDescriptor]) -> None:
        reflected = (*services, HEALTH_SERVICE, *REFLECTION_SERVICES)
        files = _with_imports(service.file for service in reflected)
        self._servicer: Any = reflection.ReflectionServicer(
            [service.full_name for service in reflected], _Symbols(_pool_of(*files))
        )

    async def behaviour(self, messages: Messages, call: Call) -> None:
        """Answer each request.

        Raises:
            DecodeError: a request cannot be read.
        """
        del call
        # v1 requests and answers have v1alpha's bytes, so its messages serve both.
        parse = reflection_pb2.ServerReflectionRequest.FromString
        while (data := await messages.read()) is not None:
            requests = iter((parse(data),))
            for response in self._servicer.ServerReflectionInfo(requests, None):
                await messages.write(response.SerializeToString())


def standard_methods(health: Health, services: Iterable[ServiceDescriptor]) -> Methods:
    """The methods of the standard services by path, for a port that has `services`."""
    name = HEALTH_SERVICE.full_name
    check = Method(
        f"{name}/Check",
        health_pb2.HealthCheckRequest.FromString,
        health.check,
        None,
        Permission.ANYONE,
        reads=True,
        is_query=True,
        is_health=True,
        is_standard=True,
    )
    behaviour = Reflection(services).behaviour
    methods: tuple[Method | StreamMethod, ...] = (
        check,
        StreamMethod(f"{name}/Watch", health.watch, goes_on_at_stop=True),
        *(
            StreamMethod(f"{service.full_name}/ServerReflectionInfo", behaviour)
            for service in REFLECTION_SERVICES
        ),
    )
    return {f"/{method.name}".encode(): method for method in methods}
