"""What each call leaves in the event log: exactly the table's events, under the caller's id."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from contract_peer import BOOTSTRAP, INTERNAL, Caller
from cryptography import x509
from deployment import Deployment


@dataclass
class Story:
    """Calls that were made under ids of our own, and what the log says of each id."""

    deployment: Deployment
    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    returned: dict[str, str] = field(default_factory=dict)
    responses: dict[str, dict[str, Any]] = field(default_factory=dict)
    serials: dict[str, set[str]] = field(default_factory=dict)

    def tell(self, caller: Caller, request_id: str, method: str, **rest: Any) -> dict[str, Any]:
        """Call under an id."""
        metadata = {"x-request-id": request_id} if not request_id.startswith("made:") else {}
        answer = caller.call(method, metadata=metadata, **rest)
        self.responses[request_id] = answer.response
        self.returned[request_id] = answer.metadata["x-request-id"]
        return answer.response


@pytest.fixture(scope="module")
def story(deployment: Deployment) -> Story:
    """The life of one node, and everything that goes wrong on the way."""
    told = Story(deployment)
    admin, newcomer = deployment.admin, deployment.newcomer
    with _recording(told):
        issued = told.tell(admin, "issue", "GetBootStrapToken", request={"expireTime": 5})
        token = {"bootStrapToken": issued["bootStrapToken"]}
        deployment.secrets.append(issued["bootStrapToken"])
        joined = told.tell(newcomer, "join", "GetToken", service=BOOTSTRAP, request=token)
        again = told.tell(admin, "join-by-admin", "GetToken", request=token)
        told.tell(newcomer, "made:join", "GetToken", request=token)
        for name, response in (("join", joined), ("join-by-admin", again)):
            node = deployment.node(token["bootStrapToken"], _answer(response))
            told.serials[name] = {
                f"{x509.load_pem_x509_certificate(pem.encode()).serial_number:x}"
                for pem in (node.grpc_tls.certificate, node.network_tls.certificate)
                if pem
            }
        node_token = {"token": joined["token"]}
        told.tell(admin, "ask", "CheckConnState", request=node_token)
        told.tell(admin, "ask-ip", "GetRegistedIp", request=node_token)
        told.tell(admin, "hello", "HelloWorld", request={"hello_text": "x"})
        told.tell(admin, "health", "HealthCheck")
        told.tell(admin, "too-long", "GetBootStrapToken", request={"expireTime": 5_256_001})
        told.tell(newcomer, "wrong-token", "GetToken", request={"bootStrapToken": "0" * 16})
        told.tell(admin, "expire", **_expiry(joined["token"], again["token"], at_s=2_000_000_000))
        told.tell(admin, "expire-again", **_expiry(joined["token"], at_s=2_000_000_000))
        told.tell(admin, "expire-unknown", **_expiry(joined["token"], "0" * 16, at_s=1))
        told.tell(admin, "leave", "UnRegister", request=node_token)
        told.tell(admin, "leave-twice", "UnRegister", request=node_token)
    return told


@contextmanager
def _recording(told: Story) -> Iterator[None]:
    """Sort what the log gained meanwhile by request id."""
    after = told.deployment.server.events()[-1]["seq"]
    yield
    for event in told.deployment.server.events(after):
        told.events.setdefault(event["request_id"], []).append(event)


def _expiry(*tokens: str, at_s: int) -> dict[str, Any]:
    sensors = [{"deviceToken": _base64(token), "expireTime": at_s} for token in tokens]
    return {
        "method": "UpdateSensorExpireTime",
        "service": INTERNAL,
        "request": {"sensorExpire": sensors},
    }
