"""Every mistake of the contract's table of calls: its code, one sentence, and nothing else."""

import base64

import pytest

from tests.e2e.contract_peer import BOOTSTRAP, CONTROL, INTERNAL
from tests.e2e.deployment import Deployment, assert_mistake

UNKNOWN = "0123456789abcdef"
MALFORMED = (
    "abc",
    "0123456789abcde",
    "0123456789abcdef0",
    "0123456789abcdeg",
    " 0123456789abcdef",
    "0123456789abcdef\n",
    "0x23456789abcdef",
    "١٢٣٤٥٦٧٨٩٠١٢٣٤٥٦",
    "0123456789abcde\0",
    "f" * 2000,
    "reserverd",
)
QUESTIONS: dict[str, dict[str, object]] = {
    "CheckConnState": {"connState": -1, "bindIp": ""},
    "GetRegistedIp": {"ip": ""},
    "UnRegister": {"result": False},
}


@pytest.mark.parametrize("wide", [False, True], ids=["int32", "int64"])
@pytest.mark.parametrize(
    "minutes", [5_256_001, 2**31 - 1, 2**31, 3_000_000_000, 2**32 - 1, 2**32 + 5, 2**63 - 1]
)
def test_no_bootstrap_token_lives_longer_than_ten_years(
    deployment: Deployment, minutes: int, wide: bool
) -> None:
    """More than ten years is 400 and no token, even where cutting to 32 bits would make it few."""
    if not wide and minutes >= 2**31:
        minutes = 2**31 - 1  # as much as int32 can say
    answer = deployment.admin.call("GetBootStrapToken", {"expireTime": minutes}, wide=wide)
    assert "ten years" in assert_mistake(answer)
    assert answer.response == {
        "code": "400",
        "message": answer.message,
        "bootStrapToken": "",
        "cloudIp": "",
        "port": "",
    }


@pytest.mark.parametrize("service", [CONTROL, BOOTSTRAP])
def test_each_wrong_bootstrap_token_has_its_own_message(
    deployment: Deployment, service: str
) -> None:
    """Empty, malformed and unknown are told apart, and every one of them is 400."""

    def say(token: str) -> str:
        answer = deployment.newcomer.call("GetToken", {"bootStrapToken": token}, service=service)
        message = assert_mistake(answer, token)
        rest = {k: v for k, v in answer.response.items() if k not in {"code", "message"}}
        assert len(rest) == 11
        assert set(rest.values()) == {""}
        return message

    empty, unknown = say(""), say(UNKNOWN)
    malformed = {say(token) for token in MALFORMED}
    assert len(malformed) == 1
    assert len({empty, unknown, *malformed}) == 3
    assert "empty" in empty
    assert "unknown" in unknown
    assert "malformed" in malformed.pop()


def test_a_node_token_opens_no_door(deployment: Deployment) -> None:
    """A node token is no bootstrap token, nor the other way round."""
    node = deployment.register()
    redeemed = deployment.newcomer.call("GetToken", {"bootStrapToken": node.token})
    assert "unknown" in assert_mistake(redeemed, node.token)
    asked = deployment.admin.call("CheckConnState", {"token": node.bootstrap_token})
    assert "unknown" in assert_mistake(asked, node.bootstrap_token)


@pytest.mark.parametrize("method", QUESTIONS)
def test_an_empty_or_unknown_node_token_is_a_mistake(deployment: Deployment, method: str) -> None:
    """400, each with its own sentence, and the rest says IDLE, no address, no result."""
    messages = set()
    for token in ("", UNKNOWN, *MALFORMED[:-1]):
        answer = deployment.admin.call(method, {"token": token})
        message = assert_mistake(answer, token)
        assert answer.response == {"code": "400", "message": message, **QUESTIONS[method]}
        messages.add(("empty" if not token else "unknown", message))
    assert len(messages) == 2
    assert all(word in message for word, message in messages)


def test_a_node_is_unregistered_once(deployment: Deployment) -> None:
    """A second UnRegister of the same token is 400 with `result` false; so is every question."""
    node = deployment.register()
    assert deployment.admin.call("UnRegister", {"token": node.token}).response["result"] is True
    for method, rest in QUESTIONS.items():
        answer = deployment.admin.call(method, {"token": node.token})
        message = assert_mistake(answer, node.token)
        assert answer.response == {"code": "400", "message": message, **rest}
        assert "unknown" in message


def test_the_server_itself_stays(deployment: Deployment) -> None:
    """`reserverd` can neither be unregistered nor expire, and stays connected."""
    answer = deployment.admin.call("UnRegister", {"token": "reserverd"})
    message = assert_mistake(answer)
    assert answer.response == {"code": "400", "message": message, "result": False}
    assert_mistake(deployment.admin.expire(("reserverd", 1)))
    state = deployment.admin.call("CheckConnState", {"token": "reserverd"}).response
    assert (state["code"], state["connState"]) == ("200", 3)


def test_a_list_of_expiries_is_all_or_nothing(deployment: Deployment) -> None:
    """One unknown token: 400 with its position, and nobody's expiry changed."""
    nodes = [deployment.register() for _ in range(3)]
    known = [(node.token, 1) for node in nodes]
    for position in range(1, 5):
        wrong = [*known[: position - 1], (UNKNOWN, 1), *known[position - 1 :]]
        answer = deployment.admin.expire(*wrong)
        message = assert_mistake(answer, UNKNOWN, *(node.token for node in nodes))
        assert f"position {position} " in message
        assert answer.response == {"code": "400", "message": message}
    for node in nodes:
        assert node.caller.call("CheckConnState", {"token": node.token}).code == "200"


@pytest.mark.parametrize(
    "device_token", [b"", b"\xff\xfe\x00", b"x" * 70_000, UNKNOWN.encode()], ids=lambda b: b[:4]
)
def test_bytes_that_are_no_token_are_unknown(deployment: Deployment, device_token: bytes) -> None:
    """`deviceToken` is bytes: whatever they are, 400 and the position, never 500."""
    sensor = {"deviceToken": base64.b64encode(device_token).decode(), "expireTime": 7}
    answer = deployment.admin.call(
        "UpdateSensorExpireTime", {"sensorExpire": [sensor]}, service=INTERNAL
    )
    assert "position 1 " in assert_mistake(answer)


@pytest.mark.parametrize(
    ("method", "service"),
    [
        ("GetBootStrapToken", CONTROL),
        ("GetToken", CONTROL),
        ("CheckConnState", CONTROL),
        ("UnRegister", CONTROL),
        ("GetRegistedIp", CONTROL),
        ("UpdateSensorExpireTime", INTERNAL),
    ],
)
def test_a_request_that_cannot_be_read_is_a_mistake(
    deployment: Deployment, method: str, service: str
) -> None:
    """Bytes that are not the request's message: 400 in the answer, not a gRPC status."""
    answer = deployment.admin.call(method, service=service, raw=b"\x0a\xff\xff")
    assert "not a message" in assert_mistake(answer)
    assert answer.response.get("connState", -1) == -1


def test_text_that_is_not_utf8_is_a_mistake(deployment: Deployment) -> None:
    """A string field with other bytes in it: 400 (protobuf: strings are UTF-8)."""
    answer = deployment.admin.call("CheckConnState", raw=b"\x0a\x02\xc3\x28")
    assert_mistake(answer)
    assert answer.response["connState"] == -1


def test_unreadable_requests_to_calls_without_a_message(deployment: Deployment) -> None:
    """HelloWorld and HealthCheck have no `message`: the code comes in what they have."""
    garbage = b"\x0a\xff\xff"
    assert deployment.admin.call("HealthCheck", raw=garbage).response == {"code": "400"}
    thanks = deployment.admin.call("HelloWorld", raw=garbage).response["thanks_text"]
    assert thanks.startswith("400: ")


def test_a_request_of_many_megabytes_is_not_read(deployment: Deployment) -> None:
    """What is beyond the limit ends as RESOURCE_EXHAUSTED, and the server lives on."""
    answer = deployment.newcomer.call("GetToken", {"bootStrapToken": "f" * (2 * 1024 * 1024)})
    assert answer.status == "RESOURCE_EXHAUSTED"
    assert deployment.newcomer.call("HealthCheck").response == {"code": "200"}
