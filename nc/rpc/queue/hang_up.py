"""Ends connections of callers that a port's gate does not want any more.

A caller that loops would be back at once, and a TLS handshake and the calls that it sends with it
cost a millisecond each time. So its connection is first silent for a while: the kernel drops what
comes on it, and nothing tells the caller to connect again. If one address has many such
connections, most of its new ones do not even begin (`held_back`).
"""

import math
import threading
import time
from collections.abc import Callable, Collection, Container
from typing import Final

from nc.rpc.queue.connections import Connection, Connections
from nc.rpc.queue.held_back import HeldBack
from nc.rpc.queue.syn_filter import program

# How long peers are gathered before the next search, which takes 10 ms with a thousand connections:
# a tenth of a core at most.
_PAUSE_S: Final = 0.03
_PAUSE_PER_SEARCH: Final = 9

# How long a connection is silent; and how many are at once, of some 40 KB each: beyond that, those
# that have been for longest end early.
SILENT_S: Final = 10.0
_MOST_SILENT: Final = 1024

# For so long a connection is remembered, so that it counts once however many of its calls are
# refused, also when it has just ended. Its caller may use the same port again after that; and how
# many are remembered.
_NOTED_S: Final = SILENT_S + 5.0
_MOST_NOTED: Final = 4096

_Ends = tuple[int, str]  # the server's port, and the caller's end as gRPC writes it


class HangUps:
    """Peers whose connections are to end; a thread ends them.

    Args:
        monotonic_ns: see `nc.clock.Clock`.
        ports: whose new connections may be held back.
        report: called in the thread with each address that is held back now.

    Attributes:
        held_back: addresses, of which a caller's is one once it comes back too often.
        silenced, ended: how many connections were.
    """

    def __init__(
        self,
        monotonic_ns: Callable[[], int],
        ports: Container[int],
        report: Callable[[str], None],
    ) -> None:
        self._monotonic_ns = monotonic_ns
        self._ports = ports
        self._report = report
        self.held_back = HeldBack(monotonic_ns)
        self._wanted: set[_Ends] = set()
        self._searched: set[_Ends] = set()  # that are being silenced now
        self._silent: dict[_Ends, tuple[Connection, float]] = {}  # until when; by age
        self._is_wanted = threading.Event()
        self._is_over = False
        self._thread: threading.Thread | None = None
        self._connections = Connections()
        self._noted: dict[_Ends, float] = {}  # until when; by age
        self._held = set[str]()
        self.silenced = self.ended = 0

    def want(self, local_port: int, peer: str) -> None:
        """Have a connection fall silent now, and end later; in one thread.

        Args:
            local_port: the server's end.
            peer: the caller's end as gRPC writes it: `ipv4:192.0.2.1:4711`, `ipv6:[::1]:4711`.
        """
        ends = local_port, peer
        self._wanted.add(ends)
        if self._is_news(ends):
            self.held_back.note(_host_of(peer))
        self._wake()

    def vouch(self, peer: str) -> None:
        """Hold back the address of this caller's end no more; in the same thread."""
        if self.held_back.vouch(_host_of(peer)):
            self._wake()

    @property
    def are_wanted(self) -> bool:
        """Whether any connection is to end."""
        return bool(self._wanted or self._searched or self._silent)

    def is_wanted(self, local_port: int, peer: str) -> bool:
        """Whether this connection is to end, and has not yet; the arguments as of `want`."""
        ends = (local_port, peer)
        return ends in self._wanted or ends in self._searched or ends in self._silent

    def stop(self) -> None:
        """End the thread, if there is one."""
        self._is_over = True
        self._is_wanted.set()
        if self._thread is not None:
            self._thread.join()
        self._connections.close()

    def _is_news(self, ends: _Ends) -> bool:
        """Whether this is the first that is noted of a connection."""
        now_s = self._now_s
        while self._noted and (oldest := next(iter(self._noted.items())))[1] <= now_s:
            del self._noted[oldest[0]]
        if ends in self._noted:
            return False
        self._noted[ends] = now_s + _NOTED_S
        if len(self._noted) > _MOST_NOTED:
            del self._noted[next(iter(self._noted))]
        return True

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True, name="grpc-hang-up")
            self._thread.start()
        self._is_wanted.set()

    @property
    def _now_s(self) -> float:
        return self._monotonic_ns() / 1e9

    def _run(self) -> None:
        while True:
            self._is_wanted.clear()  # before it is looked at what is wanted: nothing is missed
            if self._is_over:
                return
            began_s = time.thread_time()
            if (parties := self.held_back.changed()) is not None:
                self._hold_back(parties)
            if self._wanted:
                self._silence()
            self._end_silent()
            time.sleep(max(_PAUSE_S, _PAUSE_PER_SEARCH * (time.thread_time() - began_s)))
            self._is_wanted.wait(self._pause_s())

    def _pause_s(self) -> float | None:
        """How long nothing is to be done; None: until something is wanted."""
        silent = next((until_s for _, until_s in self._silent.values()), math.inf)
        next_s = min(silent, self.held_back.next_s or math.inf)
        return None if next_s == math.inf else max(0.0, next_s - self._now_s)

    def _hold_back(self, parties: Collection[str]) -> None:
        instructions = program(parties) if parties else b""
        if self._connections.filter_listeners(self._ports, instructions):
            for party in set(parties) - self._held:
                self._report(party)
            self._held = set(parties)

    def _silence(self) -> None:
        self._searched = wanted = self._wanted
        self._wanted = set()
        now_s = self._now_s
        for each in self._connections:
            ends = (each.local_port, each.peer)
            if ends in wanted and ends not in self._silent:
                if self._connections.silence(each):
                    self._silent[ends] = each, now_s + SILENT_S
                    self.silenced += 1
                else:
                    self.ended += self._connections.end([each])
        self._searched = set()

    def _end_silent(self) -> None:
        now_s = self._now_s
        for ends, (connection, until_s) in tuple(self._silent.items()):
            if until_s > now_s and len(self._silent) <= _MOST_SILENT:
                break
            self.ended += self._connections.end([connection])
            del self._silent[ends]


def _host_of(peer: str) -> str:
    """The address in what gRPC writes as `ipv4:192.0.2.1:4711` or `ipv6:[2001:db8::1]:4711`."""
    return peer.partition(":")[2].rpartition(":")[0].strip("[]")
