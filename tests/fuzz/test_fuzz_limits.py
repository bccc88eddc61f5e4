"""Sizes and numbers: up to each limit, at it, and far beyond."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from nc.pb import network_controller_pb2 as pb
from nc.rpc.servers import MAX_CALLS_A_CONNECTION, MAX_METADATA_BYTES, MAX_REQUEST_BYTES
from tests.fuzz.hostile import delimited
from tests.fuzz.watch import DEADLINE_S, METHODS, Watched
from tests.support.server_process import CHANNEL_OPTIONS

TEXT_METHODS = tuple(p for p in METHODS if not p.endswith(("/GetBootStrapToken", "/HealthCheck")))
BAD_TOKENS = 2000
CHANNELS = 25  # so that none has more calls under way than a connection may


def _message_of(size_bytes: int, fill: bytes = b"a") -> bytes:
    """One text field that makes a message of exactly this size."""
    data = delimited(1, fill * size_bytes)
    return delimited(1, fill * (size_bytes - (len(data) - size_bytes)))


@pytest.mark.parametrize("path", TEXT_METHODS)
def test_a_text_may_fill_a_request_and_no_more(path: str, secure: Watched) -> None:
    """Up to 1 MiB a request is read; beyond, the status is RESOURCE_EXHAUSTED."""
    for extra, expected in (
        (-1, grpc.StatusCode.OK),
        (0, grpc.StatusCode.OK),
        (1, grpc.StatusCode.RESOURCE_EXHAUSTED),
        (3 * MAX_REQUEST_BYTES, grpc.StatusCode.RESOURCE_EXHAUSTED),
    ):
        data = _message_of(MAX_REQUEST_BYTES + extra)
        assert len(data) == MAX_REQUEST_BYTES + extra
        assert secure.attack(secure.control, path, data).status is expected


def test_a_long_greeting_comes_back_short(plain: Watched) -> None:
    """A greeting cannot be used to fill anybody's memory or log."""
    outcome = plain.attack(plain.control, METHODS[0], _message_of(MAX_REQUEST_BYTES))
    assert pb.HelloWorldResponse.FromString(outcome.body).thanks_text == "hello " + "a" * 256
    assert max(map(len, plain.server.stderr.splitlines())) < 4096


def test_a_long_list_is_refused_as_one(secure: Watched) -> None:
    """A list of as many unknown nodes as fit is refused at its first, and changes nothing."""
    one = delimited(1, delimited(1, b"0123456789abcdef") + b"\x10\x01")
    data = one * (MAX_REQUEST_BYTES // len(one))
    outcome = secure.attack(secure.control, METHODS[-1], data)
    assert b"position 1 of the list is unknown" in outcome.body


@pytest.mark.parametrize("size_bytes", [129, 4096, MAX_METADATA_BYTES // 2])
def test_a_long_request_id_is_replaced(size_bytes: int, secure: Watched) -> None:
    """What is too long to be kept for ever is not taken over."""
    metadata = (("x-request-id", "r" * size_bytes),)
    outcome = secure.attack(secure.control, METHODS[0], b"", metadata)
    (request_id,) = (value for key, value in outcome.metadata if key == "x-request-id")
    assert len(request_id) == 20


def test_metadata_beyond_the_limit_is_a_status(secure: Watched) -> None:
    """Too much metadata is RESOURCE_EXHAUSTED, and the connection lives on."""
    metadata = (("x-large", "m" * 10 * MAX_METADATA_BYTES),)
    outcome = secure.attack(secure.control, METHODS[0], b"", metadata)
    assert outcome.status is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert secure.attack(secure.control, METHODS[0], b"").status is grpc.StatusCode.OK


def test_thousands_of_bad_tokens_at_once_register_nobody(secure: Watched) -> None:
    """A storm of guesses is answered to the last one, each with the reason that fits it.

    However slow the server is to take their messages. Nor does gRPC end any of them by itself: by
    default it does so from 1000 waiting calls on, with CANCELLED.
    (Beyond a connection's limit it may, with UNAVAILABLE: no connection goes beyond it.)
    """
    rng = random.Random(7)  # noqa: S311 - a test's choices
    makers: dict[str, Callable[[], str]] = {
        "empty": lambda: "",
        "unknown": lambda: f"{rng.getrandbits(64):016x}",
        "malformed": lambda: rng.choice(
            (
                f"{rng.getrandbits(60):015x}",
                f"{rng.getrandbits(64):016x}" + rng.choice((" ", "\n", "\0", "0", "é")),
                f"{rng.getrandbits(64):016x}"[:-1] + rng.choice("gz\u0660\uff11"),
                "x" * rng.randrange(1, 10_000),
            )
        ),
    }
    reasons = [rng.choice(list(makers)) for _ in range(BAD_TOKENS)]
    tokens = [makers[reason]() for reason in reasons]
    assert BAD_TOKENS / CHANNELS <= MAX_CALLS_A_CONNECTION
    heard = asyncio.run(_redeem_all(secure, tokens))
    for reason, answer in zip(reasons, heard, strict=True):
        assert answer.code == "400"
        assert f"the bootstrap token is {reason}" in answer.message
        assert not answer.token
    assert Counter(answer.code for answer in heard) == {"400": BAD_TOKENS}


async def _redeem_all(watched: Watched, tokens: list[str]) -> list[pb.GetTokenResponse]:
    credentials = watched.server.credentials(admin=False)
    target = watched.server.bootstrap_target
    channels = [
        grpc.aio.secure_channel(target, credentials, CHANNEL_OPTIONS) for _ in range(CHANNELS)
    ]
    path = "/pb.LiteKubeNCBootstrapService/GetToken"

    async def redeem(number: int, token: str) -> pb.GetTokenResponse:
        request = pb.GetTokenRequest(bootStrapToken=token).SerializeToString()
        rpc: Any = channels[number % CHANNELS].unary_unary(path)
        return pb.GetTokenResponse.FromString(await rpc(request, timeout=3 * DEADLINE_S))

    try:
        return await asyncio.gather(*(redeem(n, token) for n, token in enumerate(tokens)))
    finally:
        for channel in channels:
            await channel.close()
