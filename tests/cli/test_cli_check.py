"""`network-controller check`: what it prints, what it writes, and how it ends."""

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from nc.cli.check.report import BROKEN, HOLDS, IDLE, NO_LOG, as_json, as_junit, verdict
from nc.cli.entrypoint import INTERRUPTED
from nc.errors import UNREACHABLE
from nc.testing import LAWS, InProcess
from nc.testing.search import Report, search
from tests.support.forked_popen import ForkedPopen
from tests.support.programs import BIN, Run, run_here
from tests.support.server_process import PATIENCE_S, ServerProcess
from tests.testing.planted_bugs import BUGS


@pytest.fixture
def run() -> Run:
    """Runs a program in this process: its start would take longer than most searches."""
    return run_here


@pytest.fixture(scope="module")
def broken() -> Iterator[Report]:
    """What a search finds where bootstrap tokens serve once."""
    bug = next(bug for bug in BUGS if bug.name == "a token serves once")
    with pytest.MonkeyPatch.context() as patch:
        bug.plant(patch)
        target = InProcess()
        yield search(target, examples=10)
        target.close()


def test_a_server_that_keeps_the_laws_passes(run: Run, tmp_path: Path) -> None:
    """Exit code 0, how often each law was exercised, and a JUnit case for each."""
    junit = tmp_path / "report.xml"
    options = ("--examples", "3", "--seed", "7", "--junit", str(junit), "--output", "json")
    done = run("network-controller", "check", *options)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["holds"]
    assert [law["name"] for law in report["laws"]] == [law.name for law in LAWS]
    assert all((law["exercised"] > 0) == (law["verdict"] == HOLDS) for law in report["laws"])
    suite = ET.parse(junit).getroot()  # noqa: S314 - our own
    assert [case.get("name") for case in suite] == [law.name for law in LAWS]
    skipped = [law["name"] for law in report["laws"] if law["verdict"] != HOLDS]
    assert [case.get("name") for case in suite if case.find("skipped") is not None] == skipped


def test_the_table_says_of_each_law_what_can_be_said(run: Run) -> None:
    """Each law has a line; one that was never exercised is not passed."""
    done = run("network-controller", "check", "--examples", "1", "--seed", "1")
    assert done.returncode == 0, done.stderr
    for law in LAWS:
        (line,) = (line for line in done.stdout.splitlines() if line.startswith(f"{law.name} "))
        assert line.rstrip().endswith(IDLE if " 0 " in line else HOLDS)
    assert "1 trials" in done.stdout


def test_a_broken_law_is_shown_with_its_steps(broken: Report) -> None:
    """The law, its sentence, and few numbered steps; a JUnit failure; never a token."""
    (found,) = broken.broken
    assert found.breach.law.name == "a bootstrap token serves until it expires"
    assert verdict(broken, found.breach.law) == BROKEN
    assert "1  +0.000 s  IssueToken token" in str(found)
    assert len(found.history.steps) <= 8
    assert not any(token in str(found) for token in found.history.secrets())
    (failure,) = ET.fromstring(as_junit(broken, "t")).iter("failure")  # noqa: S314 - our own
    assert found.breach.law.sentence in (failure.text or "")
    assert json.loads(as_json(broken, "t"))["broken"][0]["steps"]


def test_a_running_server_is_checked_from_outside(run: Run, data_dir: Path) -> None:
    """HOST:PORT and the admin's certificates are enough; laws about the log are not passed."""
    with ServerProcess(data_dir) as server:
        options = ("--target", server.control_target, "--data-dir", str(data_dir))
        done = run("network-controller", "check", *options, "--examples", "1", "--output", "json")
    assert done.returncode == 0, done.stderr
    verdicts = {law["name"]: law["verdict"] for law in json.loads(done.stdout)["laws"]}
    assert {verdicts[law.name] for law in LAWS if law.needs_log} == {NO_LOG}


def test_a_port_that_is_silent_is_no_pass(run: Run, data_dir: Path) -> None:
    """A server of which one port does not answer has not been checked."""
    with ServerProcess(data_dir) as server, socket.create_server(("127.0.0.1", 0)) as silent:
        port = str(silent.getsockname()[1])
        silent.close()
        where = ("--target", server.control_target, "--data-dir", str(data_dir))
        done = run("network-controller", "check", *where, "--bootport", port, "--examples", "1")
    assert done.returncode == UNREACHABLE
    assert f"HealthCheck at 127.0.0.1:{port}" in done.stderr


def test_a_search_that_is_told_to_end_leaves_no_server(tmp_path: Path) -> None:
    """SIGTERM, as a CI's timeout sends it: no process and no folder of its own is left."""
    command = [str(BIN / "network-controller"), "check", "--target", "process", "--minutes", "5"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, env=environment, start_new_session=True) as search:
        try:
            end_s = time.monotonic() + PATIENCE_S
            while not list(tmp_path.glob("nc-check-*/**/server.pem")):
                assert search.poll() is None
                assert time.monotonic() < end_s
                time.sleep(0.05)
            search.terminate()
            assert search.wait(PATIENCE_S) == INTERRUPTED
            with pytest.raises(ProcessLookupError):
                os.killpg(search.pid, 0)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(search.pid, signal.SIGKILL)
    assert list(tmp_path.iterdir()) == []


def test_a_server_process_is_searched_and_cleaned_up(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It passes, with links of its nodes, and leaves nothing."""
    monkeypatch.setattr(subprocess, "Popen", ForkedPopen)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    done = run("network-controller", "check", "--target", "process", "--examples", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 trials" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--target", "nowhere"), 2, "HOST:PORT"),
        (("--target", "127.0.0.1:0"), 2, "HOST:PORT"),
        (("--target", "127.0.0.1:1", "--plaintext"), UNREACHABLE, "is the server running there"),
        (("--target", "127.0.0.1:1", "--cacert", "/nowhere"), 1, "--cacert"),
        (("--examples", "0"), 2, "--examples"),
        (("--target", "127.0.0.1:1", "--bootport", "0"), 2, "--bootport"),
        (("--minutes", "0"), 2, "--minutes"),
        (("--minutes", "1", "--examples", "1"), 2, "no --examples beside it"),
        (("--cacert", "/nowhere"), 2, "go with HOST:PORT"),
        (("--target", "sim", "--examples", "1", "--keep", "/proc/x"), 1, "--keep"),
        (("--examples", "1", "--junit", "/nowhere/report.xml"), 1, "--junit"),
    ],
)
def test_mistakes_are_one_line_each(
    run: Run, arguments: tuple[str, ...], code: int, said: str
) -> None:
    """Exit code 2 for wrong usage, 1 for what failed, and what to do."""
    done = run("network-controller", "check", *arguments)
    assert done.returncode == code
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
