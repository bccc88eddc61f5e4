"""A server whose disk fails it, by strace: it ends or serves on, as troubleshooting.md says."""

import shutil
from pathlib import Path

import pytest

from tests.support.server_process import SERVE, ServerProcess

STRACE = shutil.which("strace")

pytestmark = pytest.mark.skipif(STRACE is None, reason="there is no strace here")


def server_under(data_dir: Path, injection: str, ready: str) -> ServerProcess:
    """A server whose system calls go wrong, once it has written this log line."""
    # -D: the process is the server, and strace a child of it
    strace = (str(STRACE), "-D", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={injection}")
    return ServerProcess(data_dir, command=(*strace, *SERVE), ready=ready)


def test_a_failed_fsync_ends_the_process(tmp_path: Path) -> None:
    """Exit code 1, one line that says what to do; the next start finds everything."""
    data_dir = tmp_path / "data"
    with server_under(data_dir, "fdatasync:error=EIO:when=2+", "log.unavailable") as server:
        assert server.wait() == 1
    last = server.stderr.decode().splitlines()[-1]
    assert last.startswith("network-controller: log ")
    assert "an fsync of 00000000000000000001.seg failed" in last
    assert "start again" in last
    with server_under(data_dir, "fdatasync:error=EIO:when=1000", "server.started") as server:
        assert server.stop() == 0
    assert server.logged("server.stopped")
