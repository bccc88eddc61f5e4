"""A LiteKube client in its own process, made from its own .proto files; it never sees our code.

Usage: contract_client.py FOLDER, where the generated modules are. One JSON object a line comes in
on stdin, one or more with the same `id` go out on stdout. `op` is one of

call     one unary call: target, tls, channel, method, request (or raw, base64), wide, metadata
watch    grpc.health.v1 Watch: a line for each status, and one when it ends
reflect  what grpcurl does: list services, fetch descriptors, build the messages, make the call
"""

import base64
import importlib
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

TIMEOUT_S = 60.0
CALLS_AT_ONCE = 64

_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),  # channels with different names share no connection
    ("grpc.enable_retries", 0),
)


class ContractClient:
    """Does what it is told; every channel stays open until the end."""

    def __init__(self, generated: str) -> None:
        sys.path.insert(0, generated)
        contract = importlib.import_module("contract_pb2").DESCRIPTOR
        sensor = importlib.import_module("sensor_pb2").DESCRIPTOR
        self._wide = importlib.import_module("wide_pb2").GetBootStrapTokenRequest
        self._methods: dict[str, Any] = {
            f"/{service.full_name}/{method.name}": method
            for file in (contract, sensor, health_pb2.DESCRIPTOR)
            for service in file.services_by_name.values()
            for method in service.methods
        }
        self._channels: dict[str, grpc.Channel] = {}
        self._output = threading.Lock()
        self._callers = ThreadPoolExecutor(CALLS_AT_ONCE)

    def run(self) -> None:
        """Until stdin ends."""
        self._emit(
            {"id": 0, "foreign_modules": [m for m in ("nc", "eventlog") if m in sys.modules]}
        )
        for line in sys.stdin:
            order = json.loads(line)
            operation = {"call": self._call, "watch": self._watch, "reflect": self._reflect}
            operation[order["op"]](order)

    def _emit(self, answer: dict[str, Any]) -> None:
        with self._output:
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()

    def _channel(self, order: dict[str, Any]) -> grpc.Channel:
        key = json.dumps([order["target"], order["tls"], order["channel"]])
        if key not in self._channels:
            self._channels[key] = _open(order["target"], order["tls"])
        return self._channels[key]

    def _call(self, order: dict[str, Any]) -> None:
        method = self._methods[order["method"]]
        request_class = message_factory.GetMessageClass(method.input_type)
        if order["wide"]:
            request_class = self._wide
        if order["raw"] is None:
            request = json_format.ParseDict(order["request"], request_class()).SerializeToString()
        else:
            request = base64.b64decode(order["raw"])
        send = self._channel(order).unary_unary(
            order["method"],
            request_serializer=bytes,
            response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
        )
        metadata = tuple(order["metadata"].items())

        def wait() -> None:
            self._emit({"id": order["id"], **_outcome(send, request, metadata)})

        self._callers.submit(wait)

    def _watch(self, order: dict[str, Any]) -> None:
        watch = self._channel(order).unary_stream(
            "/grpc.health.v1.Health/Watch",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        stream = watch(health_pb2.HealthCheckRequest(service=order["service"]))

        def follow() -> None:
            try:
                for response in stream:
                    name = health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)
                    self._emit({"id": order["id"], "status": "OK", "health": name})
            except grpc.RpcError:
                pass
            self._emit({"id": order["id"], "status": stream.code().name, "details": ""})

        threading.Thread(target=follow, daemon=True).start()

    def _reflect(self, order: dict[str, Any]) -> None:
        try:
            answer = _grpcurl(self._channel(order), order)
        except grpc.RpcError as error:
            answer = {"status": error.code().name, "details": error.details()}
        self._emit({"id": order["id"], **answer})


def _open(target: str, tls: dict[str, str | None] | None) -> grpc.Channel:
    if tls is None:
        return grpc.insecure_channel(target, options=_OPTIONS)
    pem = {name: None if text is None else text.encode() for name, text in tls.items()}
    credentials = grpc.ssl_channel_credentials(pem["ca"], pem["key"], pem["certificate"])
    return grpc.secure_channel(target, credentials, options=_OPTIONS)


def _outcome(send: Any, request: bytes, metadata: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    response: dict[str, Any] = {}
    try:
        message, call = send.with_call(request, timeout=TIMEOUT_S, metadata=metadata)
        response = _as_json(message)
    except grpc.RpcError as error:
        call = error
    return {
        "status": call.code().name,
        "details": call.details() or "",
        "response": response,
        "metadata": {key: str(value) for key, value in call.trailing_metadata() or ()},
    }


def _as_json(message: Any) -> dict[str, Any]:
    return json_format.MessageToDict(message, always_print_fields_with_no_presence=True)


def _grpcurl(channel: grpc.Channel, order: dict[str, Any]) -> dict[str, Any]:
    """Knows nothing but the names of a service and a method."""
    ask = _reflection(channel, order["version"])
    listed = ask(reflection_pb2.ServerReflectionRequest(list_services=""))
    services = sorted(service.name for service in listed.list_services_response.service)
    found = ask(reflection_pb2.ServerReflectionRequest(file_containing_symbol=order["service"]))
    if found.HasField("error_response"):
        return {"status": "NOT_FOUND", "services": services}
    files = [FileDescriptorProto.FromString(f) for f in _descriptors(found)]
    pool = descriptor_pool.DescriptorPool()
    for file in reversed(files):
        pool.Add(file)
    by_name = ask(reflection_pb2.ServerReflectionRequest(file_by_filename=files[0].name))
    method = pool.FindServiceByName(order["service"]).FindMethodByName(order["method"])
    request = json_format.ParseDict(
        order["request"], message_factory.GetMessageClass(method.input_type)()
    )
    call = channel.unary_unary(
        f"/{order['service']}/{order['method']}",
        request_serializer=type(request).SerializeToString,
        response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
    )
    return {
        "status": "OK",
        "services": services,
        "files": [file.name for file in files],
        "same_by_filename": _descriptors(by_name) == _descriptors(found),
        "fields": {f.name: [f.number, _type(f)] for f in method.output_type.fields},
        "response": _as_json(call(request, timeout=TIMEOUT_S)),
    }


def _reflection(channel: grpc.Channel, version: str) -> Any:
    stream = channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    return lambda request: next(stream(iter((request,)), timeout=TIMEOUT_S))


def _descriptors(found: reflection_pb2.ServerReflectionResponse) -> list[bytes]:
    return list(found.file_descriptor_response.file_descriptor_proto)


def _type(field: Any) -> str:
    names: dict[int, str] = {
        number: name.removeprefix("TYPE_").lower()
        for name, number in vars(type(field)).items()
        if name.startswith("TYPE_")
    }
    return names[field.type]


if __name__ == "__main__":
    ContractClient(sys.argv[1]).run()
