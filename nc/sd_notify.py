"""Notify systemd (sd_notify): ready, stopping, alive, and a sentence for `systemctl status`.

One datagram to the socket that NOTIFY_SOCKET names (sd_notify(3)); without it, nothing is sent.
Each line of it is an assignment, so a status must not begin another line.
"""

import asyncio
import contextlib
import os
import socket
from typing import Final

from nc.text import printable

_VARIABLE: Final = "NOTIFY_SOCKET"


def ready(status: str) -> None:
    """Tell systemd that the service has started."""
    _send(f"READY=1\nSTATUS={printable(status)}")


def status(text: str) -> None:
    """Set the sentence that `systemctl status` shows."""
    _send(f"STATUS={printable(text)}")


def stopping() -> None:
    _send("STOPPING=1")


def watchdog_interval_s() -> float | None:
    """How often systemd wants a sign of life, at least (WatchdogSec); None if it wants none."""
    usec, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not usec.isdecimal() or int(usec) == 0 or pid not in ("", str(os.getpid())):
        return None
    return int(usec) / 1e6


async def keep_alive() -> None:
    """Give signs of life from the event loop, until cancelled: none comes while it hangs."""
    interval_s = watchdog_interval_s()
    while interval_s is not None:
        _send("WATCHDOG=1")
        await asyncio.sleep(interval_s / 3)


def _send(text: str) -> None:
    address = os.environ.get(_VARIABLE, "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]  # an abstract name
    # The service does not depend on it: it works on without the socket.
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(text.encode(), address)
