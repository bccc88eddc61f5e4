"""The messages that the calls of a port wait for: which come now, and which calls wait in vain."""

import threading
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from nc.rpc.queue.bodies import Bodies
from nc.rpc.queue.deadlines import Deadlines
from nc.rpc.queue.limits import Limits
from nc.rpc.queue.stalls import Stalls

if TYPE_CHECKING:
    from nc.rpc.queue.call import ServerCall


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
