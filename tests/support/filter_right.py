"""Whether the kernel lets programs filter what comes on TCP connections: newer ones may not."""

import os
import subprocess
import sys

import pytest

from nc.rpc.queue.connections import may_filter

WITHOUT_THE_RIGHT = ("setpriv", "--bounding-set=-net_admin") if os.geteuid() == 0 else ()
_ATTACHES_NONE = "import socket; socket.socket().setsockopt(socket.SOL_SOCKET, 26, bytes(16))"

needs_filter = pytest.mark.skipif(
    not may_filter(), reason="this kernel lets only CAP_NET_ADMIN filter TCP connections"
)


def require_kernel_that_asks() -> None:
    """Skip where every program may filter: there is nothing to fall back to."""
    probe = [*WITHOUT_THE_RIGHT, sys.executable, "-ISc", _ATTACHES_NONE]
    done = subprocess.run(probe, check=False, capture_output=True, text=True, timeout=60)
    if "PermissionError" not in done.stderr:  # without a program, EFAULT or EINVAL comes later
        pytest.skip("this kernel lets every program filter TCP connections")
