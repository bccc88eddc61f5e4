"""The clock, passed in at the top so that tests and simulations can bring their own."""

import time
from datetime import UTC, datetime
from typing import Final, Protocol

# This release was not there before: a clock that says so is wrong. Set with each release.
RELEASED_AT: Final = datetime(2026, 11, 1, tzinfo=UTC)


class Clock(Protocol):
    """The current time. Order never depends on it: it may jump."""

    def now_ns(self) -> int:
        """Unix time in nanoseconds."""

    def monotonic_ns(self) -> int:
        """Nanoseconds since some moment; never goes back. For durations only."""


class SystemClock:
    now_ns = staticmethod(time.time_ns)  # asked several times for each call
    monotonic_ns = staticmethod(time.monotonic_ns)


class BootClock(SystemClock):
    """Its time goes on while the machine is suspended: no lease may outlive that."""

    @staticmethod
    def monotonic_ns() -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def now_ms(clock: Clock) -> int:
    return clock.now_ns() // 1_000_000


def now_utc(clock: Clock) -> datetime:
    """The moment as certificates want it: aware, in UTC."""
    return datetime.fromtimestamp(clock.now_ns() / 1_000_000_000, tz=UTC)
