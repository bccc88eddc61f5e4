"""The facts of this machine, which the agent tells the server."""

import platform
import socket
from functools import cache
from importlib.metadata import version

from nc.net.machine import MachineFacts


def this_machine() -> MachineFacts:
    """The facts as they are now; what cannot be found out is "" in them."""
    return MachineFacts(
        hostname=socket.gethostname(),
        os=_os(),
        architecture=platform.machine(),
        agent_version=_version(),
    )


@cache
def _version() -> str:
    return version("litekube-network-controller")


def _os() -> str:
    """As in `Debian GNU/Linux 13 (trixie)`."""
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return f"{platform.system()} {platform.release()}".strip()
