"""A server whose disk fails it, by strace: it ends or serves on, as troubleshooting.md says."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("network-controller")
STRACE = shutil.which("strace")
TIMEOUT_S = 60

pytestmark = pytest.mark.skipif(STRACE is None, reason="there is no strace here")


def serve_under(data_dir: Path, injection: str) -> subprocess.CompletedProcess[str]:
    """A server whose system calls go wrong; it is told to stop if it has not ended by itself."""
    serve = ["serve", "--data-dir", str(data_dir), "--advertise", "127.0.0.1"]
    ports = ["--grpc-port", "0", "--bootstrap-port", "0", "--link-port", "0", "--tun", "off"]
    return subprocess.run(
        [str(STRACE), "-f", "-qq", "-o", "/dev/null", "-e", f"inject={injection}",
         "timeout", "--signal=TERM", "4", str(PROGRAM), *serve, *ports],
        capture_output=True, text=True, check=False, timeout=TIMEOUT_S,
    )  # fmt: skip


def test_a_failed_fsync_ends_the_process(tmp_path: Path) -> None:
    """Exit code 1, one line that says what to do; the next start finds everything."""
    ended = serve_under(tmp_path / "data", "fdatasync:error=EIO:when=2+")
    assert ended.returncode == 1
    *log_lines, last = ended.stderr.splitlines()
    assert last.startswith("network-controller: log ")
    assert "an fsync of 00000000000000000001.seg failed" in last
    assert "start again" in last
    assert "log.unavailable" in {json.loads(line)["event"] for line in log_lines}
    again = serve_under(tmp_path / "data", "fdatasync:error=EIO:when=1000")
    assert again.returncode == 124  # it served until `timeout` ended it
    assert "server.stopped" in again.stderr
