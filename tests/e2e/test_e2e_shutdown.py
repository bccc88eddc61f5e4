"""A server stops and starts again: nobody is left without an answer, nothing is lost."""

import signal
from collections import Counter, deque
from itertools import cycle

import pytest

from tests.e2e.contract_peer import Answer, Caller
from tests.e2e.deployment import Deploy, Deployment, Node, assert_denied, assert_mistake
from tests.e2e.e2e_process import read_events

CALLS_AT_ONCE = 40


def test_calls_under_way_are_answered(deploy: Deploy) -> None:
    """SIGTERM under load: who is answered is in the log, who is in the log is answered.

    New calls get UNAVAILABLE, the last event is ReplicaStopped, the exit code is 0.
    """
    with deploy() as deployment:
        token = {"bootStrapToken": deployment.issue()}
        callers = cycle(deployment.newcomer.on(f"connection {n}") for n in range(4))
        under_way = deque(next(callers).begin("GetToken", token) for _ in range(CALLS_AT_ONCE))
        answers: list[Answer] = []
        while not answers or answers[-1].status == "OK":
            answers.append(deployment.client.answer(under_way.popleft()))
            under_way.append(next(callers).begin("GetToken", token))
            if len(answers) == 3 * CALLS_AT_ONCE:
                deployment.server.send(signal.SIGTERM)
        answers += [deployment.client.answer(number) for number in under_way]
        assert deployment.server.exit_code() == 0
        statuses = Counter(answer.status for answer in answers)
        assert set(statuses) == {"OK", "UNAVAILABLE"}
        assert {answer.code for answer in answers if answer.status == "OK"} == {"200"}
        events = deployment.server.events()
        registered = Counter(event["type"] for event in events)["NodeRegistered"]
        assert registered == statuses["OK"]
        assert events[-1]["type"] == "ReplicaStopped"
        assert [e["event"] for e in deployment.server.log_lines()][-1] == "server.stopped"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_watchers_are_told_and_let_go(deploy: Deploy, number: signal.Signals) -> None:
    """Whoever watches health sees NOT_SERVING before the end, and does not hold the stop up."""
    with deploy() as deployment:
        callers = (deployment.admin, deployment.newcomer)
        watches = [caller.watch_health(name) for caller in callers for name in ("", "x")]
        first = [deployment.client.wait(watch)["health"] for watch in watches]
        assert first == ["SERVING", "SERVICE_UNKNOWN"] * 2
        deployment.server.send(number)
        for watch in watches[::2]:
            assert deployment.client.wait(watch)["health"] == "NOT_SERVING"
        assert {deployment.client.wait(watch)["status"] for watch in watches} == {"OK"}
        assert deployment.server.exit_code() == 0
        assert deployment.server.events()[-1]["type"] == "ReplicaStopped"


def test_a_restart_forgets_nothing(deploy: Deploy) -> None:
    """Tokens, certificates, expiries and removals are the same after a stop and a start."""
    with deploy() as before:
        bootstrap_token = before.issue(minutes=-1)
        live, expired, gone = (before.register(bootstrap_token) for _ in range(3))
        assert before.admin.expire((expired.token, 1)).code == "200"
        assert gone.caller.call("UnRegister", {"token": gone.token}).code == "200"
        old_admin = before.admin_tls
    with deploy() as after:
        assert after.admin_tls == old_admin
        assert _as_before(after, live).call("CheckConnState", {"token": live.token}).code == "200"
        assert_mistake(after.admin.call("CheckConnState", {"token": expired.token}))
        assert_denied(_as_before(after, expired).call("HealthCheck"))
        assert_mistake(after.admin.call("CheckConnState", {"token": gone.token}))
        assert_denied(_as_before(after, gone).call("HealthCheck"))
        assert after.admin.expire((expired.token, 0)).code == "200"
        assert _as_before(after, expired).call("HealthCheck").code == "200"
        newer = after.register(bootstrap_token)
        assert newer.grpc_tls.ca == live.grpc_tls.ca
        assert newer.network_tls.ca == live.network_tls.ca
    events = read_events(after.server.data_dir)
    lives = [e["type"] for e in events if e["type"].startswith("Replica")]
    assert lives == ["ReplicaStarted", "ReplicaStopped"] * 2
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1))


def test_a_killed_server_forgets_nothing(deploy: Deploy) -> None:
    """What was answered before SIGKILL holds after it; no ReplicaStopped is made up."""
    with deploy() as before:
        nodes = [before.register() for _ in range(3)]
        before.server.kill()
    with deploy() as after:
        for node in nodes:
            caller = _as_before(after, node)
            assert caller.call("CheckConnState", {"token": node.token}).code == "200"
    lives = [e["type"] for e in read_events(after.server.data_dir) if "Replica" in e["type"]]
    assert lives == ["ReplicaStarted", "ReplicaStarted", "ReplicaStopped"]


def _as_before(deployment: Deployment, node: Node) -> Caller:
    return deployment.on_control_port(node.grpc_tls)
