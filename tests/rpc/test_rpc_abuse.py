"""Guesses at bootstrap tokens, and callers who go on although they are refused."""

from typing import Any

import pytest
import structlog

from nc import log_events
from nc.clock import SystemClock
from nc.domain.errors import BootstrapTokenUnknown
from nc.rpc.abuse import (
    GUESSES_AT_ONCE,
    REFUSALS_A_SECOND,
    REFUSALS_AT_ONCE,
    REFUSALS_OF_ONE_AT_ONCE,
    Abuse,
    TooManyGuesses,
    WrongToken,
)
from nc.rpc.callers import ANONYMOUS, UNRESTRICTED, Caller, CallerKind

ADMIN = Caller(CallerKind.ADMIN, "certificate:admin:1")
UPSTREAM_NODE = Caller(CallerKind.UPSTREAM_NODE, "certificate:upstream:3")
NODE = Caller(CallerKind.NODE, "certificate:node:2", "n")


class Bench(SystemClock):
    """A clock that stands still unless it is moved, and an `Abuse` by it whose lines are kept."""

    def __init__(self, guesses_a_second: float = 1.0) -> None:
        self.now_s = 1.0
        self.lines: list[dict[str, Any]] = []
        log = structlog.wrap_logger(structlog.ReturnLogger(), processors=[self._keep])
        self.abuse = Abuse(guesses_a_second, self, log)

    def monotonic_ns(self) -> int:
        return int(self.now_s * 1e9)

    def _keep(self, _logger: Any, _name: str, line: Any) -> str:
        self.lines.append(dict(line))
        return ""

    def guess(self, party: str = "192.0.2.1", caller: Caller = ANONYMOUS) -> float:
        """Send a wrong token; how long its answer is held back.

        Raises:
            TooManyGuesses: it is not looked at.
        """
        with pytest.raises(WrongToken) as refused:
            self.abuse.judge(caller, party, _wrong)
        assert isinstance(refused.value.reason, BootstrapTokenUnknown)
        return refused.value.delay_s

    def redeem(self, party: str = "192.0.2.1") -> None:
        self.abuse.judge(ANONYMOUS, party, lambda: None)


def _wrong() -> None:
    raise BootstrapTokenUnknown


def test_wrong_tokens_count_and_right_ones_do_not() -> None:
    """However many machines enrol from one address, its allowance is as large as before."""
    bench = Bench()
    for _ in range(GUESSES_AT_ONCE):
        for _ in range(3):
            bench.redeem()
        bench.guess()
    with pytest.raises(TooManyGuesses):
        bench.redeem()  # else its answer would tell a right token from wrong ones
    assert bench.abuse.wrong_tokens == GUESSES_AT_ONCE
    assert bench.abuse.not_looked_at == 1


def test_the_allowance_is_an_addresss_own_and_comes_back() -> None:
    """Others are not concerned; one wrong token a second is looked at, and no more."""
    bench = Bench()
    for _ in range(GUESSES_AT_ONCE):
        bench.guess()
    bench.redeem("192.0.2.2")
    for _ in range(5):
        with pytest.raises(TooManyGuesses, match=r"try again in 1 s .*ncadm tokens issue"):
            bench.abuse.require_guesses_left(ANONYMOUS, "192.0.2.1")
        bench.now_s += 1
        bench.guess()
    bench.now_s += GUESSES_AT_ONCE
    for _ in range(GUESSES_AT_ONCE):
        bench.guess()
    with pytest.raises(TooManyGuesses):
        bench.redeem()


def test_a_node_is_limited_as_a_stranger_is() -> None:
    """A certificate that may not issue tokens gives no right to guess them."""
    bench = Bench()
    for _ in range(GUESSES_AT_ONCE):
        bench.guess(NODE.actor, NODE)
    with pytest.raises(TooManyGuesses):
        bench.abuse.require_guesses_left(NODE, NODE.actor)


@pytest.mark.parametrize("caller", [ADMIN, UNRESTRICTED])
def test_who_may_issue_tokens_is_not_limited(caller: Caller) -> None:
    """Nor are their answers held back."""
    bench = Bench()
    assert {bench.guess(caller=caller) for _ in range(3 * GUESSES_AT_ONCE)} == {0.0}


def test_a_rate_of_none_limits_nobody() -> None:
    """With 0 each wrong token is looked at, and counted."""
    bench = Bench(guesses_a_second=0)
    assert {bench.guess() for _ in range(3 * GUESSES_AT_ONCE)} == {0.0}
    assert bench.abuse.wrong_tokens == 3 * GUESSES_AT_ONCE


def test_mistakes_are_answered_at_once_and_guesses_late() -> None:
    """Half of the allowance is for mistakes; the answers after it are held back."""
    bench = Bench()
    delays = [bench.guess() for _ in range(GUESSES_AT_ONCE)]
    assert delays == [0.0] * (GUESSES_AT_ONCE // 2) + [1.0] * (GUESSES_AT_ONCE // 2)


@pytest.mark.parametrize(
    ("caller", "at_once"),
    [
        (ANONYMOUS, REFUSALS_AT_ONCE),
        (UPSTREAM_NODE, REFUSALS_AT_ONCE),
        (NODE, REFUSALS_OF_ONE_AT_ONCE),
    ],
)
def test_who_goes_on_although_refused_is_hung_up_on(caller: Caller, at_once: int) -> None:
    """Never an administrator, and nobody who leaves time between tries; an address later."""
    bench = Bench()
    refuse = bench.abuse.is_to_hang_up
    assert not any(refuse(caller, "a") for _ in range(at_once))
    assert all(refuse(caller, "a") for _ in range(10))
    assert not refuse(caller, "b")
    assert not any(refuse(ADMIN, "c") for _ in range(2 * at_once))
    bench.now_s += 1
    assert not any(refuse(caller, "a") for _ in range(REFUSALS_A_SECOND))
    assert refuse(caller, "a")
    assert bench.abuse.hung_up == 11


def test_a_flood_leaves_few_lines() -> None:
    """One line in ten seconds of each kind, with the numbers until then."""
    bench = Bench()
    for _ in range(GUESSES_AT_ONCE):
        bench.guess()
    for _ in range(21):
        for _ in range(100):
            with pytest.raises(TooManyGuesses):
                bench.redeem()
            bench.abuse.is_to_hang_up(ANONYMOUS, "192.0.2.1")
        bench.now_s += 0.5
        bench.guess() if bench.now_s == int(bench.now_s) else None
    lines = [line for line in bench.lines if line["event"] == log_events.RPC_GUESSES]
    assert [line["not_looked_at"] for line in lines] == [1, 2001]
    assert {line["party"] for line in bench.lines} == {"192.0.2.1"}


@pytest.mark.parametrize(("wait_s", "says"), [(0.2, "1 s"), (1000.0, "16 minutes 40 seconds")])
def test_a_long_wait_is_said_in_minutes(wait_s: float, says: str) -> None:
    """Never less than it is; a server may be set to look at one wrong token in many minutes."""
    assert f"try again in {says} with" in str(TooManyGuesses(wait_s))
