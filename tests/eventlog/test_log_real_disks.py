"""A real process on real files: system calls that fail (strace), a disk that fills up (tmpfs)."""

import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import eventlog
from tests.support.rights import MAY_MOUNT

TIMEOUT_S = 60
EVENTS = 12

APPENDER = """
import sys
import eventlog

log = eventlog.open(sys.argv[1], segment_size_bytes=1000)
for seq in range(log.last_seq, int(sys.argv[2])):
    try:
        log.append(b"%d;" % (seq + 1) * 30, 1, seq)
    except eventlog.LogFull:
        log.probe_space()
        log.append(b"%d;" % (seq + 1) * 30, 1, seq)
    print(seq + 1, flush=True)
log.close()
"""

FILLER = """
import subprocess, sys
from pathlib import Path
import eventlog

home = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", home], check=True)
log = eventlog.open(home / "log", segment_size_bytes=64 * 1024)
filler = home / "filler"
log.append(b"first", 1, 0)
with filler.open("wb", buffering=0) as file:
    try:
        while True:
            file.write(bytes(4096))
    except OSError:
        pass
full = 0
for seq in range(1, 3000):
    try:
        log.append(b"%d;" % seq * 20, 1, seq)
    except eventlog.LogFull:
        full += 1
        try:
            log.probe_space()
        except eventlog.LogFull:
            full += 1
        assert [r.last_seq for r in log.read()] == list(range(1, log.last_seq + 1))
        filler.unlink()
        log.probe_space()
        log.append(b"%d;" % seq * 20, 1, seq)
log.close()
log = eventlog.open(home / "log", segment_size_bytes=64 * 1024)
assert log.recovery is None
assert log.last_seq == 3000 == len(list(log.read()))
assert full == 2, full
print("ok")
"""

STRACE = shutil.which("strace")
UNSHARE = shutil.which("unshare")

needs_strace = pytest.mark.skipif(STRACE is None, reason="there is no strace here")
needs_root = pytest.mark.skipif(
    not (MAY_MOUNT and UNSHARE), reason="it takes CAP_SYS_ADMIN to mount a tmpfs"
)


def append_under(folder: Path, injection: str) -> tuple[int, int, str]:
    """Append in a process whose system calls go wrong; what was acknowledged, exit code, stderr."""
    done = subprocess.run(
        [str(STRACE), "-f", "-qq", "-o", folder.with_suffix(".trace"), "-e", f"inject={injection}",
         sys.executable, "-c", APPENDER, folder, str(EVENTS)],
        capture_output=True, text=True, check=False, timeout=TIMEOUT_S,
    )  # fmt: skip
    acknowledged = [int(line) for line in done.stdout.split()]
    return max(acknowledged, default=0), done.returncode, done.stderr


INJECTIONS = {
    "fdatasync fails": ("fdatasync:error=EIO:when=5", "SyncFailed"),
    "fsync of a segment fails": ("fsync:error=EIO:when=4", "SyncFailed"),
    "a write fails": ("pwrite64:error=EIO:when=7", "LogUnavailable"),
    "a write writes nothing": ("pwrite64:retval=0:when=7+", "then none"),
    "a rename fails": ("rename:error=EIO:when=2", "LogUnavailable"),
    "a read fails": ("pread64:error=EIO:when=25", "LogUnavailable"),
    "no room to write": ("pwrite64:error=ENOSPC:when=7", ""),
    "no room to allocate": ("fallocate:error=ENOSPC:when=2", ""),
    "the quota is used up": ("pwrite64:error=EDQUOT:when=7", ""),
}


@needs_strace
@pytest.mark.parametrize(("injection", "says"), INJECTIONS.values(), ids=INJECTIONS.keys())
def test_what_was_acknowledged_survives_a_system_call_that_fails(
    tmp_path: Path, injection: str, says: str
) -> None:
    """Whichever call fails: the error is named, and the next open finds what was acknowledged.

    Without room appending goes on as soon as there is some.
    """
    folder = tmp_path / "log"
    acknowledged, exit_code, stderr = append_under(folder, injection)
    assert "INJECTED" in folder.with_suffix(".trace").read_text()
    assert says in stderr
    assert (acknowledged, exit_code) == (EVENTS, 0) if not says else exit_code == 1
    with closing(eventlog.open(folder, segment_size_bytes=1000)) as log:
        assert log.last_seq in (acknowledged, acknowledged + 1)
        assert [record.payload for record in log.read()] == [
            b"%d;" % seq * 30 for seq in range(1, log.last_seq + 1)
        ]


@needs_root
def test_a_disk_that_fills_up_and_gets_room_back(tmp_path: Path) -> None:
    """On a full tmpfs nothing is appended and all is readable; with room, appending goes on."""
    done = subprocess.run(
        [str(UNSHARE), "--mount", sys.executable, "-c", FILLER, tmp_path],
        capture_output=True, text=True, check=False, timeout=TIMEOUT_S,
    )  # fmt: skip
    if "permission denied" in done.stderr.lower() and "mount" in done.stderr:
        pytest.skip("mounting is not allowed here")
    assert (done.stdout, done.stderr) == ("ok\n", "")
