"""`network-controller demo --console` as a newcomer starts it: real processes, and Chromium."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.cli.test_cli_imports import probe
from tests.support.chromium import Chromium, Tab, is_installed
from tests.support.live_console import enter, wait_for
from tests.support.programs import one_line, run_here
from tests.support.whole_server import PATIENCE_S

PROGRAM = str(Path(sys.executable).with_name("network-controller"))
NAMES = "rows('nodes').map((row) => cells(row).slice(0, 2).join(' '))"


def test_three_nodes_are_seen_in_the_console(tmp_path: Path) -> None:
    """They are there with their names and links; Ctrl-C ends it, and leaves nothing behind."""
    program = subprocess.Popen(
        [PROGRAM, "demo", "--console", "--no-browser", "--pause", "0.05"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert program.stdout is not None
    url = program.stdout.readline().split()[-1]
    assert url.startswith("http://127.0.0.1:")
    if is_installed():
        with Chromium() as browser, Tab(browser) as tab:
            enter(tab, url)
            for name in ("alpha", "beta", "gamma"):
                wait_for(tab, f"{NAMES}.some((row) => /^{name} ● ?CONNECTED/.test(row))")
            revoked = "document.getElementById('events').textContent.includes('TokenRevoked')"
            wait_for(tab, revoked)
    assert any("This goes on" in line for line in program.stdout)
    program.send_signal(signal.SIGINT)
    told, complaints = program.communicate(timeout=PATIENCE_S)
    assert (program.returncode, complaints) == (0, ""), complaints
    assert told.endswith("nothing of it is left.\n")
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra_it_says_how_to_install_it() -> None:
    """As the console itself does."""
    done, _ = probe("network-controller", "demo", "--console", blocked=("starlette", "uvicorn"))
    assert done.returncode == 1
    assert "pip install 'litekube-network-controller[console]'" in done.stderr


def test_without_a_folder_for_temporary_files_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container whose file system is read-only."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", list)
    done = run_here("network-controller", "demo")
    assert (done.returncode, done.stdout) == (1, "")
    assert one_line(done.stderr)
    assert "TMPDIR" in done.stderr


def test_a_reader_that_has_gone_ends_it(tmp_path: Path) -> None:
    """`demo --console | head` is no failure, and leaves nothing behind."""
    command = f"{PROGRAM} demo --console --no-browser --pause 0.05 | head -4"
    done = subprocess.run(
        ["/bin/bash", "-o", "pipefail", "-c", command],
        capture_output=True,
        text=True,
        check=False,
        env={"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "  1. " in done.stdout
    assert list(tmp_path.iterdir()) == []
