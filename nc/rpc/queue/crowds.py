"""Keeps the connections of a few addresses from taking the room of all others, or the memory.

gRPC accepts whoever comes, up to a number of connections, and lets a peer take its time for the
handshake. Once most of the room is taken, the addresses (IPv6: the /64) that have the most lose
what they have beyond an equal share: first those connections on which the least has come, which are
handshakes that were never finished.
"""

import os
import resource
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping
from typing import Final

from nc.clock import Clock
from nc.net.party import party_at
from nc.rpc.queue.connections import Connection, Connections
from nc.rpc.queue.floods import Floods

# How long to the next look, which takes some 10 µs a connection: a tenth of a core at most.
_PAUSE_S: Final = 0.1
_PAUSE_PER_LOOK: Final = 9

# What a crowd is thinned out to: two thirds, so that there is room until the next look.
_LEFT, _OF = 2, 3


class Crowds:
    """A thread that looks, from `start` to `stop`.

    Args:
        clock: by which a flood's pace is told.
        ports: those whose connections count, all together; for each see `Floods.most_brought`.
        most: so many connections may be open; and no more than three quarters of the descriptors
            that the process may have are left to them.
        report: called in the thread with a party and how many of its connections were ended.
    """

    def __init__(
        self,
        clock: Clock,
        ports: Mapping[int, int],
        most: int,
        report: Callable[[str, int], None],
    ) -> None:
        self._clock = clock
        self._ports = ports
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._most, self._files = most, files * 3 // 4
        self._report = report
        self._is_over = threading.Event()
        self._connections = Connections()
        self._floods = Floods(ports, self._connections)
        self._thread = threading.Thread(target=self._run, daemon=True, name="grpc-crowds")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._is_over.set()
        if self._thread.is_alive():
            self._thread.join()
        self._connections.close()

    def _run(self) -> None:
        pause_s = _PAUSE_S
        while not self._is_over.wait(pause_s):
            began_s = time.thread_time()
            if _open_files_at_least() > min(self._most, self._files):
                self._thin_out()
            flooding = self._floods.look(self._clock.monotonic_ns() / 1e9)
            for party, ended in Counter(_party(each) for each in flooding).items():
                self._report(party, ended)
            pause_s = max(_PAUSE_S, _PAUSE_PER_LOOK * (time.thread_time() - began_s))

    def _thin_out(self) -> None:
        parties: dict[str, list[Connection]] = defaultdict(list)
        others = 0
        for connection in self._connections:
            if connection.local_port in self._ports:
                parties[_party(connection)].append(connection)
            else:
                others += 1
        room = min(self._most, self._files - others) * _LEFT // _OF
        share = equal_share([len(each) for each in parties.values()], room)
        for party, connections in parties.items():
            if len(connections) > share:
                connections.sort(key=self._connections.traffic)
                ended = self._connections.end(connections[: len(connections) - share])
                self._report(party, ended)


def _party(connection: Connection) -> str:
    return party_at(connection.host) or connection.host


def equal_share(counts: Collection[int], room: int) -> int:
    """The most that each may have so that all have room, but one at least."""
    left = room
    for number, count in enumerate(sorted(counts)):
        share = left // (len(counts) - number)
        if count > share:
            return max(1, share)
        left -= count
    return max(counts, default=1)


def _open_files_at_least() -> int:
    """About how many descriptors are open: a new one gets the lowest number that is free."""
    try:
        descriptor = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # none is left
        return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    os.close(descriptor)
    return descriptor
