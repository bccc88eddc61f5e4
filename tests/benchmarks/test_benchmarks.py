"""Every benchmark runs to its end, on next to nothing: what it measures is no matter here."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.nats_servers import PROGRAM as NATS
from tests.support.power import WHY_NOT as NO_POWER_CUTS
from tests.support.programs import run_script

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

SMALL = {
    "admin": ("--nodes=20", "--events=20", "--seconds=0.1", "--watches=2", "--rate=50"),
    "appends": ("--rounds=1", "--seconds=0.05", "--folder=."),
    "hostile": (
        *("--seconds=0.1", "--settle=0", "--only"),
        *("headers, unregistered", "guesses", "ClientHellos"),
    ),
    "floods": ("--rounds=1", "--seconds=0.1", "--nodes=1"),
    "links": ("--rounds=1", "--seconds=0.2", "--links=2"),
    "metrics": ("--rounds=1", "--calls=10", "--nodes=10"),
    "opening": ("--rounds=1", "--nodes=100", "--folder=."),
    "page": ("--nodes=5", "--events=100", "--steps=5", "--rounds=1"),
    "replay": ("--rounds=1", "--events=300", "--nodes=10", "--folder=."),
    "reconnects": ("--rounds=1", "--links=2"),
    "replicas": (
        *("--rounds=1", "--seconds=0.1", "--replicas=1", "--events=0"),
        *("--client=python", "--folder=."),
    ),
    "rpc": ("--rounds=1", "--seconds=0.1", "--client=python"),
    "snapshot_pause": ("--rounds=1", "--seconds=0.1", "--nodes=100"),
    "storm": ("--agents=20", "--servers", "1", "2", "--outage=1"),
    "traffic": ("--rounds=1", "--seconds=0.1", "--only=ours"),
    "verify": ("--rounds=1", "--events=300", "--nodes=10", "--folder=."),
}
PARTS = {
    "arguments",
    "attacks",
    "calls",
    "cluster",
    "eventsourced",
    "failover",
    "histories",
    "lab",
    "packets",
    "servers",
    "timing",
    "watchers",
}  # of other benchmarks
DRILLS = {"power_failure"}  # take a minute: run with the longer searches


def test_every_benchmark_is_run() -> None:
    """None is left out below."""
    assert {path.stem for path in BENCHMARKS.glob("*.py")} == SMALL.keys() | PARTS | DRILLS


@pytest.mark.parametrize("name", SMALL)
def test_a_benchmark_prints_its_figures(name: str, tmp_path: Path) -> None:
    """It ends well, and has printed a table."""
    if name == "page" and not shutil.which("chromium"):
        pytest.skip("no chromium")
    if name == "traffic" and not ("NC_TESTS_REQUIRE_NAMESPACES" in os.environ and _has_iperf()):
        pytest.skip("network namespaces and iperf3 are not required here")
    if name == "replicas" and not NATS.exists():
        pytest.skip("no nats-server")
    table = _printed(name, SMALL[name], tmp_path)
    assert sum(any(letter.isdigit() for letter in line) for line in table.splitlines()) > 1


def _printed(name: str, arguments: Sequence[str], folder: Path) -> str:
    """What a benchmark prints that ends well."""
    ended = run_script(BENCHMARKS / f"{name}.py", *arguments, folder=folder)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.long
@pytest.mark.skipif(not NATS.exists(), reason="no nats-server")
def test_replicas_are_killed_and_start_cold(tmp_path: Path) -> None:
    """What the short run of `replicas.py` leaves out: two more servers, kills, and starts."""
    few = ("--rounds=1", "--seconds=0.1", "--failovers=1", "--events=100")
    table = _printed("replicas", (*few, "--client=python", "--folder=."), tmp_path)
    for row in ("commands at another", "  the leader ", "another replica, cold"):
        assert row in table


@pytest.mark.long
@pytest.mark.skipif(not NATS.exists(), reason="no nats-server")
@pytest.mark.skipif(bool(NO_POWER_CUTS), reason=NO_POWER_CUTS)
@pytest.mark.parametrize("sync", ["always", "default"])
def test_a_power_failure_of_all_three_servers_loses_nothing_if_they_sync(
    sync: str, tmp_path: Path
) -> None:
    """And everything if they do not, which the log that appends notices by itself."""
    printed = _printed("power_failure", ("--rounds=2", f"--sync={sync}", "--seed=1"), tmp_path)
    assert ("put back from an older copy" in printed) == (sync == "default")


def _has_iperf() -> bool:
    return shutil.which("iperf3") is not None
