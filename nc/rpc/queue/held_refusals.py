"""Refusals that wait, while a server stops, until its clients were told that it does.

A client that calls again at once would do so on the same connection, and gRPC ends calls that come
after the stop with CANCELLED, which clients take for an end of their own making. Refused only when
the connection's GOAWAY is on its way, it calls elsewhere, and who calls in a loop falls silent.
"""

import threading
from typing import TYPE_CHECKING

from nc.rpc.queue.call import Refusal

if TYPE_CHECKING:
    from nc.rpc.queue.call import ServerCall


class HeldRefusals:
    """Those of one port."""

    def __init__(self) -> None:
        self._held: list[tuple[ServerCall, Refusal]] | None = None  # None: none is held
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Hold what is refused from now on."""
        self._held = self._held or []

    def hold(self, call: "ServerCall", refusal: Refusal) -> bool:
        """Keep a refusal until `end`; False: it is not the time for that."""
        with self._lock:
            if self._held is None:
                return False
            self._held.append((call, refusal))
            return True

    def end(self) -> None:
        """Refuse all that were held."""
        with self._lock:
            held, self._held = self._held, None
        for call, refusal in held or ():
            call.refuse(refusal.code, refusal.details)
