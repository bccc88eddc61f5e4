"""Watches the kernel's addresses, routes and devices, and restores what others remove.

A network daemon that restarts or reloads removes what it did not make. Each notification of
rtnetlink that may concern us leads to one call of `restore`, a moment later: then one call stands
for a burst. Another program that keeps on removing is met by longer and longer pauses.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Final

# How long a burst of notifications may take.
SETTLE_S: Final = 0.2

# After a restoration, before the next: doubled each time, until nothing was restored for so long.
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 60.0
QUIET_S: Final = 600.0

# linux/rtnetlink.h: the groups for links, IPv4 addresses, IPv4 and IPv6 routes.
_GROUPS: Final = 0x1 | 0x10 | 0x40 | 0x400
_HEADER: Final = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_TYPES: Final = frozenset({16, 17, 20, 21, 25})  # {NEW,DEL}LINK, {NEW,DEL}ADDR, DELROUTE
_READ_BYTES: Final = 64 * 1024
_READS: Final = 64  # of one turn of the event loop

Restore = Callable[[], Awaitable[list[str]]]  # what was missing
Report = Callable[[list[str], float], None]  # that, and the pause before the next restoration


class Pauses:
    """The pause after each restoration: long where they come again and again."""

    def __init__(self) -> None:
        self._pause_s = 0.0
        self._last_s: float | None = None

    def next_s(self, now_s: float) -> float:
        """The pause after a restoration at this moment."""
        if self._last_s is None or now_s - self._last_s >= QUIET_S:
            self._pause_s = 0.0
        self._last_s = now_s
        self._pause_s = min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, 2 * self._pause_s))
        return self._pause_s


async def watch(restore: Restore, report: Report) -> None:
    """Restore what is removed, until cancelled or `restore` raises; OSError is tried again."""
    loop = asyncio.get_running_loop()
    pauses, changed = Pauses(), asyncio.Event()
    changed.set()  # something may have been removed before the subscription
    with contextlib.closing(_subscribe()) as notifications:
        loop.add_reader(notifications, _read, notifications, changed)
        try:
            while True:
                await changed.wait()
                await asyncio.sleep(SETTLE_S)
                changed.clear()
                try:
                    restored = await restore()
                except OSError:  # a lack of descriptors or memory, which passes
                    changed.set()
                    await asyncio.sleep(pauses.next_s(loop.time()))
                    continue
                if restored:
                    pause_s = pauses.next_s(loop.time())
                    report(restored, pause_s)
                    await asyncio.sleep(pause_s)
        finally:
            loop.remove_reader(notifications)


def restored_text(restored: list[str], pause_s: float) -> str:
    """For the log: what was restored, and what to do about its loss."""
    return (
        f"another program removed {', '.join(restored)}; restored (the next time not before "
        f"{pause_s:g} s have passed); let the network daemon leave nc* devices alone"
    )


def _subscribe() -> socket.socket:
    kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    subscription = socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
    try:
        subscription.bind((0, _GROUPS))
    except OSError:
        subscription.close()
        raise
    return subscription


def _read(notifications: socket.socket, changed: asyncio.Event) -> None:
    try:
        for _ in range(_READS):
            if concerns_us(notifications.recv(_READ_BYTES)):
                changed.set()
    except BlockingIOError:
        pass
    except OSError:  # ENOBUFS: notifications were lost
        changed.set()


def concerns_us(datagram: bytes) -> bool:
    """Whether one of its messages says that a device, an address or a route may be missing."""
    at = 0
    while at + _HEADER.size <= len(datagram):
        length, kind, *_ = _HEADER.unpack_from(datagram, at)
        if kind in _TYPES:
            return True
        if length < _HEADER.size:
            return False
        at += (length + 3) & ~3
    return False
