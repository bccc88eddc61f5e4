"""Health and reflection are others' programs: what they make of nonsense is ours to answer for."""

from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.fuzz.hostile import MESSAGES, delimited
from tests.fuzz.watch import DEADLINE_S, Outcome, Watched, judge, outcome_of

REFLECTION = tuple(
    f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
    for version in ("v1", "v1alpha")
)
HEALTH = "/grpc.health.v1.Health/"

FUZZ = settings(
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@FUZZ
@given(data=MESSAGES, method=st.sampled_from(["Check", "List"]))
@example(data=b"\xff\xff", method="Check")
@example(data=delimited(1, b"\xff"), method="Check")
@example(data=delimited(1, b"nobody"), method="Check")
@example(data=b"", method="List")
def test_health_answers_nonsense_with_a_status(secure: Watched, data: bytes, method: str) -> None:
    """What is no message of the health service is INVALID_ARGUMENT, without the parser's words."""
    for channel in secure.channels:
        outcome = secure.attack(channel, HEALTH + method, data)
        assert outcome.status in {
            grpc.StatusCode.OK,
            grpc.StatusCode.NOT_FOUND,
            grpc.StatusCode.INVALID_ARGUMENT,
            grpc.StatusCode.UNIMPLEMENTED,
        }


def test_watching_nonsense_is_a_status(secure: Watched) -> None:
    """As for a single question."""
    for channel in secure.channels:
        rpc: Any = channel.unary_stream(HEALTH + "Watch")
        outcome = _first(rpc(b"\xff\xff", timeout=DEADLINE_S), b"\xff\xff")
        assert outcome.status is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("path", REFLECTION)
@FUZZ
@given(messages=st.lists(MESSAGES, max_size=4))
@example(messages=[b"\xff\xff"])
@example(messages=[delimited(7, b""), b"\xff\xff", delimited(7, b"")])
@example(messages=[delimited(3, b"../../etc/passwd")])
@example(messages=[delimited(5, delimited(1, b"pb.HelloWorldRequest") + b"\x10\x01")])
def test_reflection_answers_nonsense_with_a_status(
    path: str, secure: Watched, messages: list[bytes]
) -> None:
    """A stream of nonsense ends in answers, or in a status without the parser's words."""
    for channel in secure.channels:
        rpc: Any = channel.stream_stream(path)
        outcome = _drain(rpc(iter(messages), timeout=DEADLINE_S), b"".join(messages))
        assert outcome.status in {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT}


def _first(answers: Any, sent: bytes) -> Outcome:
    try:
        next(answers)
    except grpc.RpcError as error:
        outcome = outcome_of(error)
        judge(outcome, sent)
        return outcome
    answers.cancel()
    return Outcome(grpc.StatusCode.OK, "", b"", ())


def _drain(answers: Any, sent: bytes) -> Outcome:
    try:
        for _ in answers:
            pass
    except grpc.RpcError as error:
        outcome = outcome_of(error)
        judge(outcome, sent)
        return outcome
    return Outcome(grpc.StatusCode.OK, "", b"", ())
