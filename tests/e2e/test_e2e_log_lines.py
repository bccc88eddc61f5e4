"""The line that every call leaves on stderr: who, what, how it went, how long; never a secret."""

import re
from typing import Any

import pytest

from tests.e2e.contract_peer import BOOTSTRAP, HEALTH, INTERNAL
from tests.e2e.deployment import Deployment
from tests.support.request_ids import request_id_of

CALL_FIELDS = {"event", "method", "code", "duration_ms", "actor", "request_id"}
CALL_FIELDS |= {"level", "timestamp"}


def _lines(deployment: Deployment, request_id: str) -> list[dict[str, Any]]:
    deployment.server.wait_for("rpc", request_id=request_id)
    return [x for x in deployment.server.log_lines() if x.get("request_id") == request_id]


@pytest.mark.parametrize(
    ("method", "service", "code"),
    [
        ("HelloWorld", "pb.LiteKubeNCService", "200"),
        ("HealthCheck", BOOTSTRAP, "200"),
        ("CheckConnState", "pb.LiteKubeNCService", "400"),
        ("GetToken", BOOTSTRAP, "400"),
        ("UpdateSensorExpireTime", INTERNAL, "200"),
    ],
)
def test_each_call_is_one_line(
    deployment: Deployment, method: str, service: str, code: str
) -> None:
    """Method, code, duration, actor and request id; the sentence too when it was refused."""
    request_id = request_id_of(f"line-{method}-{service}")
    answer = deployment.admin.call(method, service=service, metadata={"x-request-id": request_id})
    (line,) = _lines(deployment, request_id)
    assert set(line) == CALL_FIELDS | ({"message"} if code == "400" else set())
    assert (line["method"], line["code"], line["level"]) == (method, code, "info")
    assert re.fullmatch(r"certificate:admin:[0-9a-f]+", line["actor"])
    assert 0 <= line["duration_ms"] < 10_000
    if code == "400":
        assert line["message"] == answer.message


def test_a_call_without_an_id_is_found_by_the_one_it_was_given(deployment: Deployment) -> None:
    """The id in the answer's metadata is the one in the line."""
    answer = deployment.newcomer.call("HealthCheck")
    (line,) = _lines(deployment, answer.metadata["x-request-id"])
    assert line["actor"] == "anonymous"
    ids = {deployment.newcomer.call("HealthCheck").metadata["x-request-id"] for _ in range(20)}
    assert len(ids) == 20


@pytest.mark.parametrize("bad_id", ["", "two words", "x" * 129, " "], ids=["0", "2", "long", "1"])
def test_an_id_that_is_unfit_is_replaced(deployment: Deployment, bad_id: str) -> None:
    """What cannot be kept for ever is answered, logged and recorded under a made id."""
    answer = deployment.newcomer.call("HealthCheck", metadata={"x-request-id": bad_id})
    made = answer.metadata["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{20}", made)
    assert len(_lines(deployment, made)) == 1


def test_a_denial_is_one_line_with_its_reason(deployment: Deployment) -> None:
    """PERMISSION_DENIED answers the id too, and the line says what the caller was told."""
    node = deployment.register()
    request_id = request_id_of("denied-call")
    answer = node.caller.call("GetBootStrapToken", metadata={"x-request-id": request_id})
    assert (answer.status, answer.metadata["x-request-id"]) == ("PERMISSION_DENIED", request_id)
    (line,) = _lines(deployment, request_id)
    assert (line["code"], line["message"]) == ("PERMISSION_DENIED", answer.details)
    assert line["actor"].startswith("certificate:")
    assert node.token not in line["actor"]


def test_standard_services_are_logged_too(deployment: Deployment) -> None:
    """Health and reflection: a line each, with the service's full name."""
    metadata = {"x-request-id": request_id_of("health-check")}
    assert deployment.admin.call("Check", service=HEALTH, metadata=metadata).status == "OK"
    (line,) = _lines(deployment, request_id_of("health-check"))
    assert line["method"] == "grpc.health.v1.Health/Check"
    deployment.admin.reflect("v1", INTERNAL, "UpdateSensorExpireTime")
    name = "grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
    deployment.server.wait_for("rpc", method=name)


def test_no_line_holds_a_secret(deployment: Deployment) -> None:
    """No token and no key that was ever handed out is on stdout or stderr, mistakes included."""
    node = deployment.register()
    caller, token = deployment.admin, {"token": node.token}
    assert caller.expire((node.token, 1), (node.bootstrap_token, 1)).code == "400"
    assert caller.call("UnRegister", token).code == "200"
    assert caller.call("UnRegister", token).code == "400"
    assert deployment.newcomer.call("GetToken", {"bootStrapToken": node.token}).code == "400"
    last = deployment.newcomer.call("GetToken", {"bootStrapToken": f"{node.token} "})
    _lines(deployment, last.metadata["x-request-id"])
    said = "\n".join([*deployment.server.stdout.so_far, *deployment.server.stderr.so_far])
    assert len(said) > 1000
    assert [secret for secret in deployment.secrets if secret in said] == []
    assert "PRIVATE KEY" not in said


def test_every_line_is_json(deployment: Deployment) -> None:
    """Where there is no terminal, every line on stderr is one object, whatever went on."""
    assert all({"event", "level", "timestamp"} <= set(x) for x in deployment.server.log_lines())
