"""Logs that released versions wrote are read by this one."""

import re
import shutil
from pathlib import Path

import pytest

import eventlog
from nc.clock import SystemClock
from nc.domain.replicas import StartReplica
from nc.history.events import history, ids_in
from nc.replica.batch import Origin
from nc.replica.local_log import LocalLog
from nc.replica.replica import Replica
from tests.golden.life import IDS
from tests.golden.write import KINDS, kinds_in, write
from tests.support.programs import run_here

GOLDEN = Path(__file__).parent
VERSIONS = sorted(path.name for path in GOLDEN.iterdir() if (path / "log").is_dir())
SOURCES = [f"{version}/{name}" for version in VERSIONS for name in ("log", "export.zip")]


def run_log(command: str, source: Path, *arguments: str) -> str:
    """What `log COMMAND` prints of a log; it must succeed."""
    done = run_here("network-controller", "log", command, *arguments, "--log", str(source))
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("source", SOURCES)
def test_a_golden_log_verifies(source: str) -> None:
    """Every byte, the hash chain, each event and each snapshot of a golden log is valid."""
    assert "\nverified " in run_log("verify", GOLDEN / source)


@pytest.mark.parametrize("source", SOURCES)
def test_a_golden_log_replays_to_the_recorded_states(source: str) -> None:
    """This version's folds lead to the digests that the older version recorded."""
    printed = run_log("replay", GOLDEN / source, "--check")
    assert re.search(r"events: [1-9]\d* digests agree", printed)


@pytest.mark.parametrize("source", SOURCES)
def test_a_golden_log_is_shown(source: str) -> None:
    """Each event has its line, and the state after each can be computed."""
    lines = run_log("show", GOLDEN / source).splitlines()
    seqs = [int(line.split()[0]) for line in lines]
    assert seqs == list(range(1, len(seqs) + 1))
    for seq in seqs:
        assert run_log("at", GOLDEN / source, str(seq)).startswith(f"after event {seq},")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_golden_log_is_explained(version: str) -> None:
    """`log why` explains every node, token and address of an older version's log."""
    folder = GOLDEN / version / "log"
    ids = ids_in(history(eventlog.LogReader(folder)))
    for target in (*ids.nodes, *ids.tokens, "10.1.1.3", "10.2.0.5"):
        assert run_log("why", folder, target).splitlines()[-1].startswith("    now  ")


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_server_continues_a_golden_log(version: str, tmp_path: Path) -> None:
    """A replica starts on an older version's log, appends to it, and the whole log is valid."""
    folder = tmp_path / "log"
    shutil.copytree(GOLDEN / version / "log", folder)
    log = eventlog.open(folder)
    replica = Replica(LocalLog(log, SystemClock()), SystemClock())
    replica.start()
    start = StartReplica("golden", "next", "10.2.0.1/24", IDS.key_check)
    await replica.submit(start, Origin("system", "start", "next"))
    await replica.stop()
    log.close()
    assert "\nverified " in run_log("verify", folder)


def test_0_1_0_has_every_kind_of_its_time() -> None:
    """The golden log of 0.1.0 holds all twelve kinds of event that 0.1.0 knew."""
    assert len(kinds_in(GOLDEN / "0.1.0" / "log")) == 12


def test_this_version_writes_its_golden_log(tmp_path: Path) -> None:
    """`write.py` works with the present code, and its log holds every kind of event."""
    write(tmp_path / "golden")
    assert kinds_in(tmp_path / "golden" / "log") == KINDS
