"""Which calls wait for a message that does not come, while their party sends few."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, Protocol, TypeVar

# How long too many calls have to wait, and messages are counted, before any call is ended. Below a
# second, which is how often `is_due` is asked at least: in own time, that may be a little less.
_COUNTED_NS: Final = 900_000_000


class Awaited(Protocol):
    """What waits for its message: a call."""

    party: object


T = TypeVar("T", bound=Awaited)


class Stalls:
    """Bounds what each party has waiting, by the messages that it sends. Used in one thread.

    A burst of thousands of honest calls waits, too, but its messages come. So a party may have
    some calls without a message, or as many as it has sent messages for within `body_s`. Times are
    those of `OwnTime`: a server that cannot run reads no messages, which is not its callers' fault.

    Args:
        calls: how many a party may have in any case.
        body_s: how long a message is waited for.
    """

    def __init__(self, calls: int, body_s: float) -> None:
        self._calls = calls
        self._body_s = body_s
        self._came: Counter[object] = Counter()  # messages since `_since_ns`, by party
        self._since_ns = 0

    def came(self, party: object) -> None:
        """A message of the party is there."""
        self._came[party] += 1

    def is_due(self, awaited: int, now_ns: int) -> bool:
        """Whether to look, if so many calls wait in all; to be asked often."""
        if awaited <= self._calls or not self._since_ns:
            self._begin(now_ns)
        return now_ns - self._since_ns >= _COUNTED_NS

    def beyond(self, awaited: Iterable[T], now_ns: int) -> Iterator[T]:
        """The calls, the oldest first, that are too many of their party's; begins to count anew."""
        waiting = list(awaited)
        passed_s = (now_ns - self._since_ns) / 1e9
        excess = {
            party: count - max(self._calls, int(self._came[party] / passed_s * self._body_s))
            for party, count in Counter(call.party for call in waiting).items()
        }
        self._begin(now_ns)
        for call in waiting:
            if excess[call.party] > 0:
                excess[call.party] -= 1
                yield call

    def _begin(self, now_ns: int) -> None:
        self._came.clear()
        self._since_ns = now_ns
