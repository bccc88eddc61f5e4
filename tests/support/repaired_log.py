"""`log repair`, run in this process, and what a log holds before and after."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import eventlog
from eventlog import LogReader
from nc.domain.codec.records import Recorded, events_of
from nc.domain.state import State
from nc.replica.local_log import in_thread
from nc.replica.replay import replay
from nc.replica.snapshots import Snapshots
from tests.support.programs import run_here


def contents(folder: Path) -> dict[str, bytes]:
    """Everything in a folder but the lock."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file() and p.name != "lock"}


def log(command: str, folder: Path, *arguments: str) -> tuple[int, str]:
    """The exit code of `log …`, and what was said; errors are one line."""
    done = run_here("network-controller", "log", command, "--log", str(folder), *arguments)
    assert done.stderr.count("\n") <= 1
    return done.returncode, done.stdout + done.stderr


def log_json(folder: Path, *arguments: str) -> tuple[int, Any]:
    """As above, of `log repair --output json`."""
    code, said = log("repair", folder, "--output", "json", *arguments)
    return code, json.loads(said)


def history(folder: Path) -> list[Recorded]:
    return [each for record in LogReader(folder).read() for each in events_of(record)]


def state_at_start(folder: Path) -> State:
    with closing(eventlog.open(folder)) as log:
        return replay(log, Snapshots(log.snapshots, in_thread).load())
