"""Bytes that are no messages, to every method on every port."""

import grpc
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.fuzz.hostile import MESSAGES, METADATA, delimited, nested, varint
from tests.fuzz.watch import METHODS, Watched

# The servers outlive the examples on purpose, and no example is slow but for the machine's sake.
FUZZ = settings(
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.parametrize("path", METHODS)
@FUZZ
@given(data=MESSAGES)
@example(data=b"")
@example(data=nested(20_000))
@example(data=b"\x0b" * 100_000)
@example(data=delimited(1, b"\xed\xa0\x80"))
def test_no_bytes_harm_a_method(path: str, secure: Watched, plain: Watched, data: bytes) -> None:
    """Whatever is sent to a method is answered, changes nothing and shows nothing."""
    for watched in (secure, plain):
        for channel in watched.channels:
            outcome = watched.attack(channel, path, data)
            assert outcome.status in {
                grpc.StatusCode.OK,
                grpc.StatusCode.PERMISSION_DENIED,  # the bootstrap port knows nobody
                grpc.StatusCode.UNIMPLEMENTED,  # the bootstrap port has no service Internal
            }


@FUZZ
@given(path=st.sampled_from(METHODS), metadata=METADATA)
def test_no_metadata_harms_a_call(
    secure: Watched, path: str, metadata: list[tuple[str, str | bytes]]
) -> None:
    """Whatever metadata comes with a call, one request id comes back, fit to be kept."""
    # int32 max minutes: refused, so that nothing is granted
    data = b"\x08" + varint(2**31 - 1) if path.endswith("/GetBootStrapToken") else b""
    outcome = secure.attack(secure.control, path, data, metadata)
    ids = [value for key, value in outcome.metadata if key == "x-request-id"]
    assert len(ids) == 1
    assert isinstance(ids[0], str)
    assert 1 <= len(ids[0]) <= 128
    assert ids[0].isascii()
    assert ids[0].isprintable()
    assert " " not in ids[0]


@FUZZ
@given(path=st.from_regex(r"/?[!-~]{0,60}", fullmatch=True).filter(lambda p: p not in METHODS))
@example(path="")
@example(path="/")
@example(path="//")
@example(path="/pb.LiteKubeNCService/")
@example(path="/pb.LiteKubeNCService/HelloWorld/")
@example(path="/pb.LiteKubeNCService/__init__")
@example(path="/pb.litekubencservice/helloworld")
def test_unknown_methods_are_unimplemented(secure: Watched, plain: Watched, path: str) -> None:
    """What does not exist is UNIMPLEMENTED, whatever its name."""
    for watched in (secure, plain):
        for channel in watched.channels:
            assert watched.attack(channel, path, b"").status is grpc.StatusCode.UNIMPLEMENTED


def test_a_message_of_the_wrong_method_is_answered(secure: Watched) -> None:
    """Fields of one method's message mean nothing to another's."""
    sensor = delimited(1, delimited(1, b"0" * 16) + b"\x10\x00")
    for path in METHODS:
        if not path.endswith("/GetBootStrapToken"):
            assert secure.attack(secure.control, path, sensor).status is grpc.StatusCode.OK
