"""How long a refusal takes does not tell an unknown bootstrap token from a malformed one."""

import asyncio
import secrets
import statistics
import time
from typing import Any, cast

import pytest

from eventlog import MemoryLog
from nc.clock import SystemClock
from nc.domain.errors import BootstrapTokenMalformed, BootstrapTokenUnknown
from nc.domain.events import Batch, Entry, Event, TokenIssued
from nc.domain.tokens import Token
from nc.pb.network_controller_pb2 import GetTokenRequest
from nc.replica.local_log import LocalLog
from nc.replica.replica import Replica
from nc.rpc.api import Call
from nc.rpc.callers import ANONYMOUS
from nc.rpc.controller import Controller
from nc.secrets import SystemSecrets, TokenIds

ISSUED = 2000
ROUNDS = 3000
UNKNOWN = "0123456789abcdef"
MALFORMED = ("0123456789abcde", "0123456789abcdef0", "0123456789abcdeg", "é" * 16, "x" * 5000)


class SpyingTokenIds(TokenIds):
    """Counts the HMACs."""

    def __init__(self, key: bytes) -> None:
        super().__init__(key)
        self.made: list[str] = []

    def id_of(self, token: str) -> str:
        """As `TokenIds`, remembering it."""
        token_id = super().id_of(token)
        self.made.append(token_id)
        return token_id


class SpyingTokens:
    """Counts the look-ups in a map of tokens."""

    def __init__(self, tokens: Any) -> None:
        self._tokens = tokens
        self.asked: set[str] = set()

    def __contains__(self, token_id: object) -> bool:
        self.asked.add(str(token_id))
        return token_id in self._tokens

    def get(self, token_id: str, default: Token | None = None) -> Token | None:
        self.asked.add(token_id)
        return cast("Token | None", self._tokens.get(token_id, default))


async def _load(replica: Replica) -> None:
    """Let it read its log; its writer ends with the event loop, since no command is given."""
    replica.start()


class Bench:
    """A controller over a log that holds many tokens, without a server around it."""

    def __init__(self, token_ids: TokenIds) -> None:
        log = MemoryLog()
        issued = (TokenIssued(token_id=secrets.token_hex(16)) for _ in range(ISSUED))
        entry = Entry(events=[Event(token_issued=token) for token in issued])
        log.append(Batch(entries=[entry]).SerializeToString(), ISSUED, 0)
        self.replica = Replica(LocalLog(log, SystemClock()), SystemClock())
        asyncio.run(_load(self.replica))
        unused: Any = None  # certificates and ports are for those who are let in
        self.controller = Controller(
            self.replica, unused, unused, token_ids, SystemClock(), SystemSecrets()
        )

    def refuse(self, request: GetTokenRequest) -> Exception:
        """What GetToken says; it never waits for anything before it refuses."""
        call = Call(ANONYMOUS, "GetToken", "r", 0)
        try:
            self.controller.get_token(request, call).send(None)
        except Exception as error:  # noqa: BLE001 - it is the answer
            return error
        raise AssertionError("it was let in")


@pytest.mark.parametrize("token", [UNKNOWN, *MALFORMED], ids=lambda token: token[:17])
def test_every_token_is_hashed_and_looked_up(token: str) -> None:
    """Malformed or not: one HMAC, and a look-up of just what it gives."""
    token_ids = SpyingTokenIds(b"k" * 32)
    bench = Bench(token_ids)
    state = bench.replica.state
    spy = SpyingTokens(state.tokens)
    object.__setattr__(state, "tokens", spy)
    error = bench.refuse(GetTokenRequest(bootStrapToken=token))
    expected = BootstrapTokenUnknown if token == UNKNOWN else BootstrapTokenMalformed
    assert type(error) is expected
    assert len(token_ids.made) == 1
    assert spy.asked == set(token_ids.made)


@pytest.mark.long  # it measures time; the test above counts the same work
@pytest.mark.parametrize("token", MALFORMED, ids=lambda token: token[:17])
def test_refusals_take_the_same_time(token: str) -> None:
    """The medians, taken in turns, differ by less than a factor of two."""
    bench = Bench(TokenIds(b"k" * 32))
    requests = (GetTokenRequest(bootStrapToken=UNKNOWN), GetTokenRequest(bootStrapToken=token))
    times: tuple[list[int], list[int]] = ([], [])
    for _ in range(ROUNDS):
        for request, taken in zip(requests, times, strict=True):
            started = time.perf_counter_ns()
            bench.refuse(request)
            taken.append(time.perf_counter_ns() - started)
    unknown, malformed = (statistics.median(taken) for taken in times)
    assert 1 / 2 < malformed / unknown < 2, (unknown, malformed)
