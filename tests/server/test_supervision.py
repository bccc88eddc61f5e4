"""Supervision: a background task that dies ends the server, and is never lost in silence."""

import asyncio
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import structlog

from nc.cli.serve import _reload_whenever
from nc.domain.errors import SessionEnded
from nc.replica.errors import NotLeading, OutcomeOpen, Unwritable, WriteRefused
from nc.server import installation
from nc.server.certificates import Certificates
from nc.server.installation import Installation, Tuning
from nc.server.own_changes import NOT_NOW
from nc.server.parts import Job
from nc.server.server import Server
from nc.server.tasks import Failing, repeat
from tests.support.whole_server import PATIENCE_S, Lines, running, until

TASKS = (
    *("sweep", "renew_certificates", "give_back_memory", "watch_clock", "watch_log"),
    *("report_failure", "report_lack", "report_failed_snapshots", "ending_certificates"),
    *("replica", "link_acceptor", "link_heartbeat", "rpc_queue"),
)

# `network-controller serve` with a bug in a job; nothing else stops it.
BROKEN_PROGRAM = """
from nc.cli.main import main
from nc.server.tasks import Sweep

async def sweep(self):
    raise RuntimeError("a bug")

Sweep.sweep = sweep
main()
"""


class Bug(Exception):
    """What no code expects."""


class LinesWithLevels(Lines):
    """Log lines with their levels."""

    def __call__(self, logger: object, method: str, line: Any) -> str:
        return super().__call__(logger, method, {**line, "level": method})


async def kill(task: "asyncio.Task[None]") -> None:
    """Raise `Bug` where the task waits."""
    waiting: Any = task  # its future has no public name
    await until(lambda: waiting._fut_waiter is not None)
    waiting._fut_waiter.set_exception(Bug())


async def test_every_background_task_is_supervised(tmp_path: Path) -> None:
    """The tests below kill each task that a server has."""
    async with running(tmp_path / "data") as server:
        assert set(server.server.tasks) == set(TASKS)


@pytest.mark.parametrize("name", TASKS)
async def test_a_task_that_dies_ends_the_server_with_its_error(tmp_path: Path, name: str) -> None:
    """The error is logged with the task's name; the server's user is cancelled, all is closed."""
    lines = LinesWithLevels()
    with pytest.raises(Bug):
        await serve_and_kill(name, tmp_path / "data", lines)
    (crashed,) = lines.named("task.crashed")
    assert (crashed["level"], crashed["task"]) == ("critical", name)
    assert lines.named("server.stopped")
    async with running(tmp_path / "data"):  # nothing holds the log any more
        pass


async def serve_and_kill(name: str, data_dir: Path, lines: Lines) -> None:
    """Serve for ever, but for a task that dies."""
    async with asyncio.timeout(PATIENCE_S), running(data_dir, lines=lines) as server:
        await kill(server.server.tasks[name])
        await asyncio.Event().wait()


async def test_a_bug_in_a_job_is_no_passing_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not known to pass is not tried again: the server ends with it."""

    def fail(_: object) -> None:
        raise Bug

    async def serve_on() -> None:
        often = Tuning(certificate_check_interval_s=0.01)
        async with asyncio.timeout(PATIENCE_S), running(tmp_path / "data", tuning=often):
            await asyncio.Event().wait()

    monkeypatch.setattr(Certificates, "renew", fail)
    with pytest.raises(Bug):
        await serve_on()


async def test_a_change_that_is_refused_for_now_ends_no_job() -> None:
    """The job runs again in its time, whatever became of this server's role meanwhile."""
    refusals = [NotLeading(), SessionEnded(), WriteRefused("room"), OutcomeOpen()]
    assert set(map(type, refusals)) == set(NOT_NOW)
    is_done = asyncio.Event()

    async def run() -> None:
        if refusals:
            raise refusals.pop()
        is_done.set()

    failing: Failing = {}
    repeating = asyncio.create_task(repeat(Job("job", 0, run), structlog.get_logger(), failing))
    done = asyncio.create_task(is_done.wait())
    await asyncio.wait([repeating, done], return_when=asyncio.FIRST_COMPLETED)
    assert (is_done.is_set(), repeating.done(), failing) == (True, False, {})
    repeating.cancel()


@pytest.mark.parametrize("refusal", [SessionEnded(), Unwritable(), WriteRefused("room")])
async def test_a_reload_uses_what_cannot_be_recorded_now(refusal: Exception) -> None:
    """The next renewal records it; and the program goes on to listen to SIGHUP."""
    renewed = asyncio.Event()

    async def renew() -> None:
        renewed.set()

    async def refuse() -> None:
        raise refusal

    await installation._reload(renew, cast(Server, SimpleNamespace(record_installed=refuse)))
    assert renewed.is_set()


async def test_a_reload_that_fails_for_whatever_reason_ends_none_of_those_after_it() -> None:
    """A bug is logged, and the next SIGHUP is heard."""
    asked, lines, done, bugs = asyncio.Event(), LinesWithLevels(), asyncio.Event(), [Bug()]

    async def reload() -> None:
        if bugs:
            asked.set()  # once more
            raise bugs.pop()
        done.set()

    log = structlog.wrap_logger(structlog.ReturnLogger(), processors=[lines])
    asked.set()
    program = cast(Installation, SimpleNamespace(reload=reload))
    running = asyncio.create_task(_reload_whenever(asked, program, log))
    heard = asyncio.create_task(done.wait())
    await asyncio.wait([running, heard], return_when=asyncio.FIRST_COMPLETED)
    assert (heard.done(), running.done()) == (True, False)
    assert lines.named("server.reloaded")[0]["level"] == "error"
    running.cancel()


def test_the_program_ends_with_exit_code_1(tmp_path: Path) -> None:
    """And a critical log line names the task."""
    ports = ("--grpc-port", "0", "--bootstrap-port", "0", "--link-port", "0")
    done = subprocess.run(
        [
            *(sys.executable, "-c", BROKEN_PROGRAM, "serve", "--tun", "off"),
            *("--data-dir", str(tmp_path / "data"), "--advertise", "127.0.0.1", *ports),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 1
    (line,) = (line for line in done.stderr.splitlines() if "task.crashed" in line)
    assert '"level": "critical"' in line
    assert '"task": "sweep"' in line
