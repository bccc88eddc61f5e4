"""A server whose disk fails it when it starts, by strace: it ends, as troubleshooting.md says."""

import shutil
from pathlib import Path

import pytest

from tests.support.server_process import SERVE, ServerProcess

STRACE = shutil.which("strace")

pytestmark = pytest.mark.skipif(STRACE is None, reason="there is no strace here")


def test_a_failed_fsync_ends_the_process(tmp_path: Path) -> None:
    """Exit code 1, one line that says what to do; the next start finds everything."""
    data_dir = tmp_path / "data"
    with ServerProcess(data_dir) as server:
        assert server.stop() == 0
    # Every fdatasync: strace counts the calls of each thread by itself.
    # -D: the process is the server, and strace a child of it.
    options = ("-D", "-f", "-qq", "-o", "/dev/null", "-e", "inject=fdatasync:error=EIO")
    strace = (str(STRACE), *options, *SERVE)
    with ServerProcess(data_dir, command=strace, ready="log.opened") as server:
        assert server.wait() == 1
    last = server.stderr.decode().splitlines()[-1]
    assert last.startswith("network-controller: log ")
    assert "an fsync of 00000000000000000001.seg failed" in last
    assert "start again" in last
    with ServerProcess(data_dir) as server:
        assert server.stop() == 0
    assert server.logged("server.stopped")
