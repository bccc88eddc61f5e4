"""Ends connections of callers that a port's gate does not want any more."""

import threading
import time
from typing import Final

from nc.rpc.queue.connections import Connections

# How long peers are gathered before the next search, which takes 10 ms with a thousand connections:
# a quarter of a core at most.
_PAUSE_S: Final = 0.03


class HangUps:
    """Peers whose connections are to end; a thread ends them.

    Attributes:
        ended: how many connections were ended.
    """

    def __init__(self) -> None:
        self._wanted: set[tuple[int, str]] = set()
        self._searched: set[tuple[int, str]] = set()  # that are being ended now
        self._is_wanted = threading.Event()
        self._is_over = False
        self._thread: threading.Thread | None = None
        self._connections = Connections()
        self.ended = 0

    def want(self, local_port: int, peer: str) -> None:
        """Have a connection end soon; in one thread.

        Args:
            local_port: the server's end.
            peer: the caller's end as gRPC writes it: `ipv4:192.0.2.1:4711`, `ipv6:[::1]:4711`.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True, name="grpc-hang-up")
            self._thread.start()
        self._wanted.add((local_port, peer))
        self._is_wanted.set()

    @property
    def are_wanted(self) -> bool:
        """Whether any connection is to end."""
        return bool(self._wanted or self._searched)

    def is_wanted(self, local_port: int, peer: str) -> bool:
        """Whether this connection is to end, and has not yet; the arguments as of `want`."""
        connection = (local_port, peer)
        return connection in self._wanted or connection in self._searched

    def stop(self) -> None:
        """End the thread, if there is one."""
        self._is_over = True
        self._is_wanted.set()
        if self._thread is not None:
            self._thread.join()
        self._connections.close()

    def _run(self) -> None:
        while self._is_wanted.wait() and not self._is_over:
            self._is_wanted.clear()
            self._searched = wanted = self._wanted
            self._wanted = set()
            found = [each for each in self._connections if (each.local_port, each.peer) in wanted]
            self.ended += self._connections.end(found)
            self._searched = set()
            time.sleep(_PAUSE_S)
