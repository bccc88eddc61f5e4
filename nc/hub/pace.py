"""How often somebody may do something: some times at once, and then once in an interval.

Pure, but for the time that it is given.
"""

from collections.abc import Callable
from typing import Final

# How many keys are remembered before those that may do everything again are forgotten.
_FEW_KEYS: Final = 1024


class Pace:
    """The pace of each key (a leaky bucket, by the time at which it will be empty).

    Args:
        at_once: how many times a key that was idle for long may do it in a row.
        interval_s: in what time it may do it once more.
        time: a monotonic clock, in seconds.
    """

    def __init__(self, at_once: int, interval_s: float, time: Callable[[], float]) -> None:
        self._slack_s = (at_once - 1) * interval_s
        self._interval_s = interval_s
        self._time = time
        self._empty_at_s: dict[str, float] = {}
        self._forget_above = _FEW_KEYS

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._empty_at_s)

    def wait_s(self, key: str) -> float:
        """Do it once, and 0; or in how many seconds it may be done."""
        now_s = self._time()
        empty_at_s = max(self._empty_at_s.get(key, 0.0), now_s)
        wait_s = empty_at_s - now_s - self._slack_s
        if wait_s > 0:
            return wait_s
        self._empty_at_s[key] = empty_at_s + self._interval_s
        if len(self._empty_at_s) > self._forget_above:
            self._forget(now_s)
        return 0.0

    def _forget(self, now_s: float) -> None:
        """Forget those whose bucket is empty; the rest is as many as were busy lately."""
        busy = {key: at_s for key, at_s in self._empty_at_s.items() if at_s > now_s}
        self._empty_at_s = busy
        self._forget_above = 2 * max(len(busy), _FEW_KEYS // 2)


class Sampler:
    """Which log lines of a key are written; the next one tells how many were left out before it.

    Of the keys whose lines were left out the last 1024 are remembered.

    Args: see `Pace`.
    """

    def __init__(self, at_once: int, interval_s: float, time: Callable[[], float]) -> None:
        self._pace = Pace(at_once, interval_s, time)
        self._left_out: dict[str, int] = {}

    def fields(self, key: str) -> dict[str, int] | None:
        """What to add to the line; None: leave it out."""
        if self._pace.wait_s(key):
            self._left_out[key] = self._left_out.pop(key, 0) + 1  # behind those of before
            if len(self._left_out) > _FEW_KEYS:
                del self._left_out[next(iter(self._left_out))]
            return None
        left_out = self._left_out.pop(key, 0)
        return {"left_out": left_out} if left_out else {}
