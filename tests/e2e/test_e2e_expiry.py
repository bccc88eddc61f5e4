"""Expiry, through the ports: from its moment on refused, dropped and idle; later revived."""

import time

from tests.e2e.contract_peer import Answer
from tests.e2e.deployment import Deployment, Node, assert_denied, assert_mistake

HOUR_S = 60 * 60


def test_an_expiry_in_the_past_takes_hold_at_once(deployment: Deployment) -> None:
    """The token is refused with the moment it expired, the certificate is denied."""
    node = deployment.register()
    assert deployment.admin.expire((node.token, 1_700_000_000)).response == {
        "code": "200",
        "message": "ok",
    }
    answer = _state(deployment, node)
    assert "2023-11-14T22:13:20Z" in assert_mistake(answer, node.token)
    assert (answer.response["connState"], answer.response["bindIp"]) == (-1, "")
    address = deployment.admin.call("GetRegistedIp", {"token": node.token})
    assert_mistake(address, node.token)
    assert address.response["ip"] == ""
    assert "expired" in assert_denied(node.caller.call("HealthCheck"), node.token)


def test_expiry_is_checked_at_the_moment_of_use(deployment: Deployment) -> None:
    """An expiry a moment ahead: good before it, refused from it on, no matter when a sweep ran."""
    node = deployment.register()
    expires_at_s = int(time.time()) + 2
    assert deployment.admin.expire((node.token, expires_at_s)).code == "200"
    while True:
        before = time.time()
        answer = _state(deployment, node)
        after = time.time()
        if answer.code == "400":
            break
        assert before < expires_at_s
    assert after >= expires_at_s
    assert_denied(node.caller.call("CheckConnState", {"token": node.token}))


def test_a_later_expiry_revives(deployment: Deployment) -> None:
    """An expired node set to a later moment, or to never, is what it was: token and certificate."""
    node = deployment.register()
    for revived_until in (int(time.time()) + HOUR_S, 2**32 - 1, 0):
        assert deployment.admin.expire((node.token, 1)).code == "200"
        assert_denied(node.caller.call("CheckConnState", {"token": node.token}))
        assert deployment.admin.expire((node.token, revived_until)).code == "200"
        assert node.caller.call("CheckConnState", {"token": node.token}).code == "200"
        assert _state(deployment, node).code == "200"


def test_of_a_repeated_node_the_last_expiry_counts(deployment: Deployment) -> None:
    """A list that names a node twice is not refused, and ends as its last entry says."""
    node = deployment.register()
    assert deployment.admin.expire((node.token, 1), (node.token, 0)).code == "200"
    assert _state(deployment, node).code == "200"
    assert deployment.admin.expire((node.token, 0), (node.token, 1)).code == "200"
    assert_mistake(_state(deployment, node))


def test_an_empty_list_is_done_at_once(deployment: Deployment) -> None:
    """Nobody named, nothing changed, no mistake."""
    assert deployment.admin.expire().response == {"code": "200", "message": "ok"}


def test_an_expired_node_can_be_removed(deployment: Deployment) -> None:
    """The admin may unregister what has expired; after that nothing revives it."""
    node = deployment.register()
    assert deployment.admin.expire((node.token, 1)).code == "200"
    assert deployment.admin.call("UnRegister", {"token": node.token}).response["result"] is True
    assert "position 1 " in assert_mistake(deployment.admin.expire((node.token, 0)))
    assert_denied(node.caller.call("CheckConnState", {"token": node.token}))


def _state(deployment: Deployment, node: Node) -> Answer:
    return deployment.admin.call("CheckConnState", {"token": node.token})
