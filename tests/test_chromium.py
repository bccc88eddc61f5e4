"""The browser of the tests: what happens on the machine beside it does not reach it."""

import subprocess
import sys

from tests.support.chromium import WITHOUT_NETLINK

ASKS = """
import errno, socket
socket.socket(socket.AF_INET).close()
socket.socket(socket.AF_UNIX).close()
try:
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)
except OSError as error:
    print(errno.errorcode[error.errno])
"""


def test_it_is_not_told_of_network_interfaces() -> None:
    """The kernel tells of them on sockets of AF_NETLINK, which it cannot have; others it can."""
    command = (*WITHOUT_NETLINK, sys.executable, "-IS", "-c", ASKS)
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == "EAFNOSUPPORT\n"
