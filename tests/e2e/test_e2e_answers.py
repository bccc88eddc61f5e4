"""Every row of the contract's table of calls, when it goes well, through the ports."""

import re
import time

import pytest

from tests.e2e.contract_peer import BOOTSTRAP, Caller
from tests.e2e.deployment import Deployment

TOKEN = re.compile(r"[0-9a-f]{16}")


def test_the_client_is_independent(deployment: Deployment) -> None:
    """The client process never imported our code, so it can disagree with it."""
    assert deployment.client.foreign_modules == []


def test_a_greeting_comes_back(deployment: Deployment) -> None:
    """HelloWorld answers a greeting under the JSON name `thanks_text`."""
    answer = deployment.admin.call("HelloWorld", {"hello_text": "edge"})
    assert answer.response == {"thanks_text": "hello edge"}


@pytest.mark.parametrize("caller", ["admin", "newcomer"])
def test_the_server_is_healthy(deployment: Deployment, caller: str) -> None:
    """HealthCheck is 200 on both ports, with and without a certificate."""
    peer: Caller = getattr(deployment, caller)
    assert peer.call("HealthCheck").response == {"code": "200"}
    assert peer.call("HealthCheck", service=BOOTSTRAP).response == {"code": "200"}


LIFETIMES: tuple[tuple[dict[str, int], int | None], ...] = (
    ({}, 10),
    ({"expireTime": 0}, 10),
    ({"expireTime": 1}, 1),
    ({"expireTime": 3}, 3),
    ({"expireTime": 5_256_000}, 5_256_000),
    ({"expireTime": -1}, None),
    ({"expireTime": -(2**31)}, None),
    ({"expireTime": -(2**63)}, None),  # int64 alone
)


def test_a_bootstrap_token_lives_as_long_as_asked(deployment: Deployment) -> None:
    """Positive: so many minutes; 0 or absent: ten; negative: for ever; int32 and int64 alike."""
    expected = {}
    for wide in (False, True):
        for request, minutes in LIFETIMES[: None if wide else -1]:
            before = time.time()
            answer = deployment.admin.call("GetBootStrapToken", request, wide=wide)
            token = answer.response.pop("bootStrapToken")
            deployment.secrets.append(token)
            assert TOKEN.fullmatch(token)
            assert answer.response == {
                "code": "200",
                "message": "ok",
                "cloudIp": "127.0.0.1",
                "port": str(deployment.server.bootstrap_port),
            }
            expected[answer.metadata["x-request-id"]] = (before, minutes)
    found = {e["request_id"]: e for e in deployment.server.events() if e["request_id"] in expected}
    assert len(found) == len(expected) == 15
    for request_id, (before, minutes) in expected.items():
        event = found[request_id]
        assert event["type"] == "TokenIssued"
        if minutes is None:
            assert event["expires_at_ms"] == 0
        else:
            late_s = event["expires_at_ms"] / 1000 - before - minutes * 60
            assert -0.01 <= late_s <= 60


def test_a_token_serves_any_number_of_nodes(deployment: Deployment) -> None:
    """One bootstrap token registers many machines, each with a token and keys of its own."""
    bootstrap_token = deployment.issue()
    nodes = [deployment.register(bootstrap_token) for _ in range(5)]
    assert len({node.token for node in nodes}) == 5
    assert len({node.grpc_tls.key for node in nodes} | {n.network_tls.key for n in nodes}) == 10


def test_get_token_says_where_everything_is(deployment: Deployment) -> None:
    """GetToken answers 16 hex digits and where link and control are, under the JSON names."""
    response = deployment.register().response
    assert TOKEN.fullmatch(response["token"])
    assert {key: value for key, value in response.items() if "Client" not in key} == {
        "code": "200",
        "message": "ok",
        "token": response["token"],
        "networkServerIp": "127.0.0.1",
        "networkServerPort": str(deployment.server.link_port),
        "grpcServerIp": "10.1.1.1",
        "grpcServerPort": str(deployment.server.grpc_port),
        "grpcCaCert": response["grpcCaCert"],
        "NetworkCaCert": response["NetworkCaCert"],
    }


def test_a_new_node_is_idle_and_has_no_address(deployment: Deployment) -> None:
    """Before the first connection: -1, and "" for both questions about the address."""
    node = deployment.register()
    for caller in (node.caller, deployment.admin):
        assert caller.call("CheckConnState", {"token": node.token}).response == {
            "code": "200",
            "message": "ok",
            "connState": -1,
            "bindIp": "",
        }
        assert caller.call("GetRegistedIp", {"token": node.token}).response == {
            "code": "200",
            "message": "ok",
            "ip": "",
        }


def test_the_servers_own_token_is_connected(deployment: Deployment) -> None:
    """`reserverd` is the server: CONNECTED, at the server's overlay address, for whoever asks."""
    node = deployment.register()
    for caller in (node.caller, deployment.admin):
        answer = caller.call("CheckConnState", {"token": "reserverd"})
        assert (answer.code, answer.response["connState"]) == ("200", 3)
        assert answer.response["bindIp"] == "10.1.1.1"
        assert caller.call("GetRegistedIp", {"token": "reserverd"}).response["ip"] == "10.1.1.1"


def test_unregistering_answers_true(deployment: Deployment) -> None:
    """UnRegister answers 200 and `result` true."""
    node = deployment.register()
    assert deployment.admin.call("UnRegister", {"token": node.token}).response == {
        "code": "200",
        "message": "ok",
        "result": True,
    }


def test_answers_do_not_depend_on_the_port(deployment: Deployment) -> None:
    """The same request gets the same answer through both ports and both services."""
    unknown = {"bootStrapToken": "00000000deadbeef"}
    answers = [
        caller.call("GetToken", unknown, service=service).response
        for caller in (deployment.admin, deployment.newcomer)
        for service in ("pb.LiteKubeNCService", BOOTSTRAP)
    ]
    assert answers[1:] == answers[:-1]
    bootstrap_token = {"bootStrapToken": deployment.issue()}
    nodes = [
        deployment.node("", caller.call("GetToken", bootstrap_token, service=service))
        for caller in (deployment.admin, deployment.newcomer)
        for service in ("pb.LiteKubeNCService", BOOTSTRAP)
    ]
    alike = [
        {k: v for k, v in node.response.items() if k != "token" and "Client" not in k}
        for node in nodes
    ]
    assert alike[1:] == alike[:-1]
