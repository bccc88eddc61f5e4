"""Writers of one log: a lock keeps the second out, and a kill loses nothing acknowledged."""

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import eventlog
from eventlog import LogLocked
from tests.support.small_log import open_small

TIMEOUT_S = 60  # for what happens at once unless it is broken; the machine may be busy

APPENDER = """
import sys
import eventlog

log = eventlog.open(sys.argv[1], segment_size_bytes=2000)
print("open", log.last_seq, flush=True)
for seq in range(log.last_seq, int(sys.argv[2])):
    log.append(b"%d;" % (seq + 1) * (seq % 50 + 1), 1, seq)
    print(seq + 1, flush=True)
sys.stdin.read()
"""


def appender(folder: Path, until: int) -> subprocess.Popen[str]:
    """Another process that opens the log, appends up to a sequence number, and keeps it open."""
    return subprocess.Popen(
        [sys.executable, "-c", APPENDER, str(folder), str(until)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_second_writer_is_told_who_holds_the_log(tmp_path: Path) -> None:
    """A log has one writer; another process, or another object here, learns its process id."""
    folder = tmp_path / "log"
    with appender(folder, 1) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open 0\n"
        with pytest.raises(LogLocked, match=f"process {other.pid} holds it") as caught:
            eventlog.open(folder)
        assert (caught.value.folder, caught.value.pid) == (folder, other.pid)
        other.kill()
    ours = open_small(folder)  # the lock went with the process
    with pytest.raises(LogLocked) as caught:
        open_small(folder)
    assert caught.value.pid == os.getpid()
    ours.close()
    open_small(folder).close()


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    """Killed at any moment, a writer leaves every record whose append returned, in order."""
    folder = tmp_path / "log"
    acknowledged = 0
    for patience in (1, 30, 7, 80):
        with appender(folder, 1_000_000) as process:
            assert process.stdout is not None
            assert int(process.stdout.readline().split()[1]) >= acknowledged
            for _ in range(patience):
                acknowledged = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            lines = process.stdout.read().splitlines(keepends=True)
            acknowledged = max([acknowledged, *(int(n) for n in lines if n.endswith("\n"))])
        with closing(open_small(folder)) as log:
            assert log.last_seq in (acknowledged, acknowledged + 1)  # in flight: may be there
            for seq, record in enumerate(log.read()):
                assert record.payload == b"%d;" % (seq + 1) * (seq % 50 + 1)
        acknowledged = log.last_seq
