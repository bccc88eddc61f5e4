"""The standard services beside ours: health, and reflection as old and new clients ask for it."""

from collections.abc import Iterable, Iterator
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health, health_pb2
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


def health_handlers(servicer: health.aio.HealthServicer) -> dict[str, Any]:
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
            continue  # all that the generated class above it can do is raise
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
