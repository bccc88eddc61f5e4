"""What tools see that know nothing of us: reflection as grpcurl asks for it, and health."""

import base64
from typing import Any

import pytest

from tests.e2e.contract_peer import BOOTSTRAP, CONTROL, HEALTH, INTERNAL, Caller
from tests.e2e.deployment import Deployment

STANDARD = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
]
ADMIN = [
    f"nc.admin.v1.{name}"
    for name in (
        "Administrators",
        "BootstrapTokens",
        "Events",
        "History",
        "Nodes",
        "Replicas",
        "Server",
    )
]
ENROLMENT = "nc.node.v1.Enrolment"
JOINING = "nc.replica.v1.Joining"
SERVICES = {
    "admin": sorted([*STANDARD, *ADMIN, INTERNAL, BOOTSTRAP, CONTROL, ENROLMENT]),
    "newcomer": sorted([*STANDARD, BOOTSTRAP, CONTROL, ENROLMENT, JOINING]),
}
# What grpcurl shows of each answer: JSON names, in the order of the field numbers.
JSON_NAMES = {
    "HelloWorld": ["thanks_text"],
    "HealthCheck": ["code"],
    "GetBootStrapToken": ["code", "message", "bootStrapToken", "cloudIp", "port"],
    "GetToken": [
        *("code", "message", "token", "networkServerIp", "networkServerPort"),
        *("grpcServerIp", "grpcServerPort", "grpcCaCert", "grpcClientKey", "grpcClientCert"),
        *("NetworkCaCert", "NetworkClientKey", "NetworkClientCert"),
    ],
    "CheckConnState": ["code", "message", "connState", "bindIp"],
    "UnRegister": ["code", "message", "result"],
    "GetRegistedIp": ["code", "message", "ip"],
}
NOT_STRINGS = {"connState": "int32", "result": "bool"}


@pytest.fixture(params=["TLS", "plain text"], scope="module")
def reflecting(
    request: pytest.FixtureRequest, deployment: Deployment, plaintext_deployment: Deployment
) -> Deployment:
    return deployment if request.param == "TLS" else plaintext_deployment


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
@pytest.mark.parametrize("port", ["admin", "newcomer"])
def test_grpcurl_finds_and_calls_everything(
    reflecting: Deployment, port: str, version: str
) -> None:
    """List, describe, call: services, fields, and JSON names are the contract's, on any port."""
    caller: Caller = getattr(reflecting, port)
    for method, names in JSON_NAMES.items():
        if port == "newcomer" and method not in {"HelloWorld", "HealthCheck", "GetToken"}:
            continue  # there it is denied, unless there is no identity at all
        found = caller.reflect(version, CONTROL, method)
        assert found["status"] == "OK"
        assert found["services"] == SERVICES[port]
        assert found["files"] == ["network_controller.proto"]
        assert found["same_by_filename"] is True
        assert list(found["response"]) == names
        fields = found["fields"].values()
        assert [number for number, _ in fields] == list(range(1, len(names) + 1))
        assert [kind for _, kind in fields] == [NOT_STRINGS.get(name, "string") for name in names]


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_the_internal_service_is_in_sensor_proto(reflecting: Deployment, version: str) -> None:
    """`Internal` has no package, and its file is `sensor.proto`."""
    token = base64.b64encode(b"0123456789abcdef").decode()
    request = {"sensorExpire": [{"deviceToken": token, "expireTime": 7}]}
    found = reflecting.admin.reflect(version, INTERNAL, "UpdateSensorExpireTime", request)
    assert found["files"] == ["sensor.proto"]
    assert list(found["response"]) == ["code", "message"]
    assert "position 1 " in found["response"]["message"]


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_the_standard_services_describe_themselves(reflecting: Deployment, version: str) -> None:
    """Everything that is listed can be described, health among it, and called."""
    found = reflecting.newcomer.reflect(version, HEALTH, "Check", {"service": CONTROL})
    assert found["response"] == {"status": "SERVING"}


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_an_unknown_symbol_is_not_found(reflecting: Deployment, version: str) -> None:
    """Asked for what is not there, reflection says so and goes on."""
    found = reflecting.newcomer.reflect(version, "pb.Nothing", "")
    assert found == {"id": found["id"], "status": "NOT_FOUND", "services": SERVICES["newcomer"]}


@pytest.mark.parametrize("port", ["admin", "newcomer"])
def test_health_is_told_for_each_service(reflecting: Deployment, port: str) -> None:
    """Check: SERVING for the server and each of its services, NOT_FOUND for any other name."""
    caller: Caller = getattr(reflecting, port)
    for name in ("", CONTROL, BOOTSTRAP):
        answer = caller.call("Check", {"service": name}, service=HEALTH)
        assert answer.response == {"status": "SERVING"}
    assert caller.call("Check", {"service": "x"}, service=HEALTH).status == "NOT_FOUND"


def test_health_can_be_watched(reflecting: Deployment) -> None:
    """Watch answers at once, and an unknown service is SERVICE_UNKNOWN rather than an error."""

    def first(service: str) -> Any:
        caller = reflecting.newcomer
        return caller.client.wait(caller.watch_health(service))["health"]

    assert first("") == "SERVING"
    assert first(BOOTSTRAP) == "SERVING"
    assert first("x") == "SERVICE_UNKNOWN"
