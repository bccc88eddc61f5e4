"""The standard services: health, and reflection in both versions that clients use."""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

HEALTH_SERVICE: Any = health_pb2.DESCRIPTOR.services_by_name["Health"]

_REFLECTION_OLD = "grpc.reflection.v1alpha"
_REFLECTION = "grpc.reflection.v1"


def _reflection_v1() -> Any:
    """Reflection v1, which differs from v1alpha in the package's name alone.

    (gRPC server reflection protocol; the Python package knows v1alpha only.)
    """
    pool = descriptor_pool.Default()
    try:
        return pool.FindServiceByName(f"{_REFLECTION}.ServerReflection")
    except KeyError:
        file = descriptor_pb2.FileDescriptorProto()
        reflection_pb2.DESCRIPTOR.CopyToProto(file)
        renamed = text_format.MessageToString(file).replace(_REFLECTION_OLD, _REFLECTION)
        file = text_format.Parse(renamed, descriptor_pb2.FileDescriptorProto())
        file.name = "grpc/reflection/v1/reflection.proto"
        pool.Add(file)
        return pool.FindServiceByName(f"{_REFLECTION}.ServerReflection")


REFLECTION_SERVICES: tuple[Any, ...] = (
    _reflection_v1(),
    reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"],
)


class Health:
    """grpc.health.v1: answers checks, and sends every change to watchers.

    gRPC's own servicer holds a lock while it writes, so that one watcher that does not read blocks
    all others, and the server's stop; and it never ends a watch.
    """

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

    async def Check(  # noqa: N802 - the service's name for it
        self, request: health_pb2.HealthCheckRequest, context: Any
    ) -> health_pb2.HealthCheckResponse:
        status = self._statuses.get(request.service)
        if status is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is no service of this name here")
        return health_pb2.HealthCheckResponse(status=status)

    async def Watch(  # noqa: N802 - as above
        self, request: health_pb2.HealthCheckRequest, context: Any
    ) -> None:
        sent = None
        while True:
            changed = self._changed
            status = self._statuses.get(
                request.service, health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
            )
            if status != sent:
                await context.write(health_pb2.HealthCheckResponse(status=status))
                sent = status
            elif self._is_over:
                return
            else:
                await changed.wait()


def health_handlers(servicer: Health) -> dict[str, Any]:
    """The handlers of grpc.health.v1, by method."""
    return dict(_handlers(HEALTH_SERVICE, servicer))


def reflection_handlers(services: Iterable[ServiceDescriptor]) -> dict[str, dict[str, Any]]:
    """The handlers of each reflection service, by its name, for a port that has `services`."""
    servicer = reflection.aio.ReflectionServicer(
        [s.full_name for s in (*services, HEALTH_SERVICE, *REFLECTION_SERVICES)]
    )
    # v1 requests and answers have v1alpha's bytes, so its messages serve both.
    old = REFLECTION_SERVICES[-1]
    return {s.full_name: dict(_handlers(old, servicer)) for s in REFLECTION_SERVICES}


def _handlers(service: Any, servicer: object) -> Iterator[tuple[str, Any]]:
    for method in service.methods:
        if method.name not in vars(type(servicer)):
            continue  # the generated base class has it, and only raises
        make: Any = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, True): grpc.stream_stream_rpc_method_handler,
        }[method.client_streaming, method.server_streaming]
        yield (
            method.name,
            make(
                getattr(servicer, method.name),
                request_deserializer=message_factory.GetMessageClass(method.input_type).FromString,
                response_serializer=message_factory.GetMessageClass(
                    method.output_type
                ).SerializeToString,
            ),
        )
