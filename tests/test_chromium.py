"""The browser of the tests: what happens on the machine beside it does not reach it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.chromium import WITHOUT_NETLINK, Chromium, is_installed

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


@pytest.mark.skipif(not is_installed(), reason="no chromium")
def test_it_leaves_nothing_in_the_home_of_whoever_runs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither settings nor downloads, such as an operator's certificate."""
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    with Chromium():
        pass
    assert list(tmp_path.iterdir()) == []
