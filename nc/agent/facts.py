"""What a machine says of itself when it enrols, and when it renews its certificates."""

import platform
import socket
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nc.pb.node.v1.node_pb2 import Facts


def facts() -> "Facts":
    """The facts of this machine; what cannot be found out is "" in them."""
    from nc.pb.node.v1.node_pb2 import Facts  # noqa: PLC0415 - an agent at work needs no protobuf

    return Facts(
        hostname=socket.gethostname(),
        os=_os(),
        architecture=platform.machine(),
        agent_version=version("litekube-network-controller"),
    )


def _os() -> str:
    """As in `Debian GNU/Linux 13 (trixie)`."""
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return f"{platform.system()} {platform.release()}"
