"""Tells systemd how we are (sd_notify): ready, stopping, and a sentence for `systemctl status`.

One datagram to the socket that NOTIFY_SOCKET names (sd_notify(3)); without one, nobody asked.
"""

import contextlib
import os
import socket
from typing import Final

_VARIABLE: Final = "NOTIFY_SOCKET"


def ready(status: str) -> None:
    """What was started works."""
    _tell(f"READY=1\nSTATUS={status}")


def status(text: str) -> None:
    """Something changed; one sentence."""
    _tell(f"STATUS={text}")


def stopping() -> None:
    """The end has begun."""
    _tell("STOPPING=1")


def _tell(text: str) -> None:
    address = os.environ.get(_VARIABLE, "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]  # an abstract name
    # It is a courtesy: work goes on when nobody listens.
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(text.encode(), address)
