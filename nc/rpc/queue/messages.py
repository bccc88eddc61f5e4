"""The messages that the calls of a port wait for: which come now, and which calls wait in vain."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from nc.rpc.queue.bodies import Bodies
from nc.rpc.queue.deadlines import Deadlines
from nc.rpc.queue.limits import Limits

if TYPE_CHECKING:
    from nc.rpc.queue.call import ServerCall


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


class Messages:
    """Messages of one port. They are awaited from any thread, and looked after in the queue's.

    Args:
        limits: of the port.
        is_unary: whether a call has just one message.
    """

    def __init__(
        self,
        limits: Limits,
        is_unary: Callable[["ServerCall"], bool],
    ) -> None:
        self._limits = limits
        self._is_unary = is_unary
        self._bodies: dict[object, Bodies] = {}  # by pool
        self._lock = threading.Lock()
        self._awaited = Deadlines["ServerCall"](limits.body_s)
        self._stalls = Stalls(limits.awaited, limits.body_s)
        self._stalled: Iterator[ServerCall] = iter(())  # those that are to end

    def receive(self, call: "ServerCall") -> None:
        """Have the call receive a message once there is room."""
        self._awaited.start(call)
        with self._lock:
            bodies = self._bodies.get(call.pool)
            if bodies is None:
                bodies = Bodies(self._limits.bodies, self._limits.bodies_of_party)
                self._bodies[call.pool] = bodies
            bodies.await_turn(call)

    def received(self, call: "ServerCall", *, has_come: bool) -> None:
        """The call's message is there, or will not come."""
        self._awaited.stop(call)
        if has_come:
            self._stalls.came(call.party)
        with self._lock:
            self._bodies[call.pool].release(call)

    def forget(self, call: "ServerCall") -> None:
        """The call is over."""
        self._awaited.stop(call)

    def stalled(self, now_ns: int, count: int) -> list["ServerCall"]:
        """Some calls that are too many, as of `Stalls`."""
        if self._stalls.is_due(len(self._awaited), now_ns):
            self._stalled = self._stalls.beyond(filter(self._is_unary, self._awaited), now_ns)
        return list(islice(self._stalled, count))

    def late(self, now_ns: int, count: int) -> list["ServerCall"]:
        """Some calls that have waited too long, each once."""
        return list(islice(self._awaited.overdue(now_ns), count))
