"""Which calls are repeated, and how often."""

from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from eventlog.jetstream.log import BUSY_AFTER_S
from nc.client.calls import Calls
from nc.client.channel import DEFAULT_TIMEOUT_S
from nc.client.errors import CallFailed, Cancelled, NotFound, PermissionDenied, Unavailable
from nc.pb.admin.v1.nodes_pb2 import GetNodeRequest
from nc.replica.touch import CHANGE_WAIT_S
from nc.secrets import SystemSecrets


class BrokenChannel:
    """A channel whose first calls end with these errors."""

    def __init__(self, *errors: type[CallFailed]) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def call(self, method: str, request: Message, *, timeout_s: float) -> str:
        del request
        assert timeout_s >= 0
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)(method, "192.0.2.7:6440", "no")
        return "answer"


@pytest.fixture(autouse=True, scope="module")
def no_pauses() -> Any:
    """Waiting is no part of these laws."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nc.client.calls.delay_s", lambda *_: 0.0)
        yield


@given(
    failures=st.integers(0, 6),
    retries=st.integers(0, 4),
    error=st.sampled_from([Unavailable, Cancelled]),
)
async def test_reading_is_repeated_while_there_is_no_connection(
    failures: int, retries: int, error: type[CallFailed]
) -> None:
    """As often as is allowed, and no more; then the last error is raised.

    gRPC ends calls with CANCELLED that come to a server which has begun to stop.
    """
    channel: Any = BrokenChannel(*[error] * failures)
    calls = Calls(channel, 60, retries, SystemSecrets())
    if failures <= retries:
        assert await calls.read("Nodes.Get", GetNodeRequest()) == "answer"
    else:
        with pytest.raises(error):
            await calls.read("Nodes.Get", GetNodeRequest())
    assert channel.calls == min(failures, retries) + 1


@pytest.mark.parametrize("error", [NotFound, PermissionDenied])
async def test_a_refusal_is_not_repeated(error: type[CallFailed]) -> None:
    """Another try would get the same answer."""
    channel: Any = BrokenChannel(error, error)
    with pytest.raises(error):
        await Calls(channel, 60, 4, SystemSecrets()).read("Nodes.Get", GetNodeRequest())
    assert channel.calls == 1


async def test_a_change_is_never_repeated() -> None:
    """Nobody knows whether it was made."""
    channel: Any = BrokenChannel(Unavailable)
    with pytest.raises(Unavailable):
        await Calls(channel, 60, 4, SystemSecrets()).write("Nodes.Update", GetNodeRequest())
    assert channel.calls == 1


def test_a_call_waits_for_longer_than_a_server_lets_a_change_wait() -> None:
    """So the server's own answer arrives, which says whether the change was made."""
    assert DEFAULT_TIMEOUT_S > CHANGE_WAIT_S
    assert DEFAULT_TIMEOUT_S > BUSY_AFTER_S


async def test_no_try_begins_beyond_the_deadline() -> None:
    """However many are allowed."""
    channel: Any = BrokenChannel(*[Unavailable] * 100)
    with pytest.raises(Unavailable):
        await Calls(channel, 0, 1000, SystemSecrets()).read("Nodes.Get", GetNodeRequest())
    assert channel.calls == 1
