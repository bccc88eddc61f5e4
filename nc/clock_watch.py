"""Steps of the wall clock: how they are noticed, and how long the clock is doubted after one.

A step is a change of the difference between the wall clock and the monotonic clock: by NTP, by an
operator, after a suspend. A clock that has just jumped forward may jump back, so nothing that
cannot be undone follows from it before it has been steady for some time. A step back makes nothing
expire.
"""

from datetime import datetime
from typing import Final

from nc.clock import Clock
from nc.text import duration_text

# NTP slews by less than a thousandth of that between two looks.
_STEP_NS: Final = 500_000_000

# How often whatever depends on the time looks for steps.
LOOK_INTERVAL_S: Final = 1.0

STEADY_AFTER_S: Final = 60.0

# Two clocks that differ by less are not worth a word.
_NOTABLE_S: Final = 120.0


class ClockWatch:
    """Watches one clock; whatever reacts to steps has a watch of its own.

    Args:
        clock: the clock.
        steady_after_s: how long a step forward is doubted.
        is_trusted: False doubts the clock from the start on, as after a step forward.

    Attributes:
        steps: how many were seen.
    """

    def __init__(
        self, clock: Clock, *, steady_after_s: float = STEADY_AFTER_S, is_trusted: bool = True
    ) -> None:
        self._clock = clock
        self._steady_after_ns = int(steady_after_s * 1e9)
        self._difference_ns = self._measure()
        self.steps = 0
        self._doubted_since_ns = None if is_trusted else clock.monotonic_ns()

    def look(self) -> float:
        """By how many seconds the clock was stepped since the last look; 0.0 if it was not."""
        before_ns, self._difference_ns = self._difference_ns, self._measure()
        step_ns = self._difference_ns - before_ns
        if abs(step_ns) < _STEP_NS:
            return 0.0
        self.steps += 1
        if step_ns > 0:
            self._doubted_since_ns = self._clock.monotonic_ns()
        return step_ns / 1e9

    @property
    def is_steady(self) -> bool:
        """Whether the last step forward, as of the last look, was long enough ago."""
        since_ns = self._doubted_since_ns
        if since_ns is None:
            return True
        return self._clock.monotonic_ns() - since_ns >= self._steady_after_ns

    def _measure(self) -> int:
        return self._clock.now_ns() - self._clock.monotonic_ns()


def step_text(step_s: float) -> str:
    direction = "forward" if step_s > 0 else "back"
    return f"this machine's clock was set {direction} by {duration_text(step_s)}"


def difference_text(now: datetime, server_time: datetime) -> str:
    """How far this machine's clock is from a server's; "" if that matters little."""
    if server_time.tzinfo is None:
        return ""
    ahead_s = (now - server_time).total_seconds()
    if abs(ahead_s) < _NOTABLE_S:
        return ""
    where = "ahead of" if ahead_s > 0 else "behind"
    return f"this machine's clock is {duration_text(ahead_s)} {where} the server's"
