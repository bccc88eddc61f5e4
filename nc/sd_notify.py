"""Notify systemd (sd_notify): ready, stopping, and a sentence for `systemctl status`.

One datagram to the socket that NOTIFY_SOCKET names (sd_notify(3)); without it, nothing is sent.
"""

import contextlib
import os
import socket
from typing import Final

_VARIABLE: Final = "NOTIFY_SOCKET"


def ready(status: str) -> None:
    """Tell systemd that the service has started."""
    _send(f"READY=1\nSTATUS={status}")


def status(text: str) -> None:
    """Set the sentence that `systemctl status` shows."""
    _send(f"STATUS={text}")


def stopping() -> None:
    """Tell systemd that the service is stopping."""
    _send("STOPPING=1")


def _send(text: str) -> None:
    address = os.environ.get(_VARIABLE, "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]  # an abstract name
    # The service does not depend on it: it works on without the socket.
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(text.encode(), address)
