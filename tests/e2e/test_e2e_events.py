"""What each call leaves in the event log: exactly the table's events, under the caller's id."""

from typing import Any

import pytest
from cryptography import x509

from tests.e2e.contract_peer import BOOTSTRAP, Answer
from tests.e2e.deployment import Deployment, Node
from tests.support.request_ids import request_id_of

AT_S = 2_000_000_000


class Story:
    """The life of two nodes and everything that goes wrong on the way, each call under its id."""

    def __init__(self, deployment: Deployment) -> None:
        admin, newcomer = deployment.admin, deployment.newcomer
        after = deployment.server.events()[-1]["seq"]
        self.returned: dict[str, str] = {}

        def call(name: str, *args: Any, by: Any = admin, **options: Any) -> Answer:
            answer: Answer = by.call(*args, metadata=_named(name), **options)
            self.returned[name] = answer.metadata["x-request-id"]
            return answer

        issued = call("issue", "GetBootStrapToken", {"expireTime": 5}).response["bootStrapToken"]
        deployment.secrets.append(issued)
        token = {"bootStrapToken": issued}
        joined = call("join", "GetToken", token, by=newcomer, service=BOOTSTRAP)
        again = call("join-by-admin", "GetToken", token)
        self.nodes = [deployment.node(issued, answer) for answer in (joined, again)]
        first, second = (node.token for node in self.nodes)
        self.unnamed = newcomer.call("GetToken", token).metadata["x-request-id"]
        call("hello", "HelloWorld", {"hello_text": "x"})
        call("health", "HealthCheck")
        for method in ("CheckConnState", "GetRegistedIp"):
            call(f"ask-{method}", method, {"token": first}, by=self.nodes[0].caller)
        call("too-long", "GetBootStrapToken", {"expireTime": 5_256_001})
        call("wrong-token", "GetToken", {"bootStrapToken": "0" * 16}, by=newcomer)
        expire = {"metadata": _named("expire")}
        self.returned["expire"] = admin.expire(
            (first, AT_S), (second, AT_S + 1), **expire
        ).metadata["x-request-id"]
        admin.expire((first, AT_S), metadata=_named("expire-alike"))
        admin.expire((first, 1), ("0" * 16, 1), metadata=_named("expire-unknown"))
        call("denied", "UnRegister", {"token": first}, by=self.nodes[1].caller)
        call("leave-admin", "UnRegister", {"token": first})
        call("leave-itself", "UnRegister", {"token": second}, by=self.nodes[1].caller)
        call("leave-twice", "UnRegister", {"token": first})
        self.all_events = deployment.server.events()
        self.events: dict[str, list[dict[str, Any]]] = {}
        names = {request_id_of(name): name for name in self.returned}
        for event in self.all_events:
            if event["seq"] > after:
                request_id = event["request_id"]
                self.events.setdefault(names.get(request_id, request_id), []).append(event)


def _named(name: str) -> dict[str, str]:
    return {"x-request-id": request_id_of(name)}


@pytest.fixture(scope="module")
def story(deployment: Deployment) -> Story:
    """Told once for the whole module."""
    return Story(deployment)


def test_each_call_appends_exactly_its_events(story: Story) -> None:
    """The table's third column, and nothing for questions, mistakes and what is denied."""
    types = {request_id: [e["type"] for e in events] for request_id, events in story.events.items()}
    assert types == {
        "issue": ["TokenIssued"],
        "join": ["NodeRegistered"],
        "join-by-admin": ["NodeRegistered"],
        story.unnamed: ["NodeRegistered"],
        "expire": ["ExpiryChanged", "ExpiryChanged"],
        "leave-admin": ["Unregistered"],
        "leave-itself": ["Unregistered"],
    }


def test_sequence_numbers_have_no_gap(story: Story) -> None:
    """Every event is numbered, from 1, one by one; the first says that the server started."""
    assert [e["seq"] for e in story.all_events] == list(range(1, len(story.all_events) + 1))
    assert story.all_events[0]["type"] == "ReplicaStarted"
    assert story.all_events[0]["network_address"] == "10.1.1.1/24"


def test_a_request_id_comes_back_and_is_kept(story: Story) -> None:
    """Whoever names its request gets the name back, success or not; others get a made one."""
    assert len(story.returned) == 14
    assert all(request_id_of(name) == returned for name, returned in story.returned.items())
    assert len(story.unnamed) == 20


def test_the_log_names_who_did_it(story: Story) -> None:
    """The admin's and a node's certificate by CN and serial, a newcomer by its token's id."""
    token_id = story.events["issue"][0]["token_id"]
    (admin,) = {story.events[name][0]["actor"] for name in ("issue", "join-by-admin", "expire")}
    assert admin.startswith("certificate:admin:")
    assert story.events["join"][0]["actor"] == f"bootstrap:{token_id}"
    second = story.events["join-by-admin"][0]["node_id"]
    serial = _serials(story.nodes[1])["grpc"]
    assert story.events["leave-itself"][0]["actor"] == f"certificate:{second}:{serial}"
    methods = {name: story.events[name][0]["method"] for name in ("issue", "join", "leave-admin")}
    assert methods == {
        "issue": "GetBootStrapToken",
        "join": "GetToken",
        "leave-admin": "UnRegister",
    }


def test_a_registration_records_its_certificates(story: Story) -> None:
    """NodeRegistered: serial and end of both certificates, and the ids that stand for tokens."""
    for name, node in zip(("join", "join-by-admin"), story.nodes, strict=True):
        event = story.events[name][0]
        assert event["token_id"] == story.events["issue"][0]["token_id"]
        assert {c["authority"]: c["serial"] for c in event["certificates"]} == _serials(node)
        for certificate, pem in zip(event["certificates"], _certificates(node), strict=True):
            assert certificate["not_after_ms"] == pem.not_valid_after_utc.timestamp() * 1000
        assert {pem.subject.rfc4514_string() for pem in _certificates(node)} == {
            f"CN={event['node_id']},O=lknm:register"
        }


def test_an_expiry_is_recorded_for_each_node(story: Story) -> None:
    """ExpiryChanged for each of the list, in milliseconds."""
    ids = [story.events[name][0]["node_id"] for name in ("join", "join-by-admin")]
    assert [(e["node_id"], e["expires_at_ms"]) for e in story.events["expire"]] == [
        (ids[0], AT_S * 1000),
        (ids[1], (AT_S + 1) * 1000),
    ]


def _certificates(node: Node) -> list[x509.Certificate]:
    pems = (node.grpc_tls.certificate, node.network_tls.certificate)
    return [x509.load_pem_x509_certificate(pem.encode()) for pem in pems if pem]


def _serials(node: Node) -> dict[str, str]:
    grpc, network = _certificates(node)
    return {"grpc": f"{grpc.serial_number:x}", "network": f"{network.serial_number:x}"}
