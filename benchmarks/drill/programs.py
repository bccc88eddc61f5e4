"""Programs in network namespaces, which are killed, paused and started again; and their keeper."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

PATIENCE_S = 60.0  # far beyond what a stop takes
LOOK_S = 0.1
AGAIN_S = 1.0  # as systemd waits before it starts a program again


_CALL = b'"event": "rpc"'  # servers log each call: too many to keep


class Line(NamedTuple):
    """A log line, and when it was written, Unix nanoseconds."""

    at_ns: int
    fields: dict[str, Any]

    @property
    def event(self) -> str:
        return str(self.fields.get("event", ""))


def line_of(text: bytes) -> Line:
    """A line; what is no JSON is its `text`."""
    with contextlib.suppress(ValueError):
        fields = json.loads(text)
        if isinstance(fields, dict) and "timestamp" in fields:
            at = datetime.fromisoformat(fields["timestamp"])
            return Line(int(at.timestamp() * 1e9), fields)
    return Line(time.time_ns(), {"text": text.decode(errors="replace")})


class Program:
    """One program, with all that it has written over its lives.

    Args:
        name: for people.
        command: what is run.
        log: the file for what it writes.
        says_ready: whether a line says that it is ready.

    Attributes:
        is_wanted: whether the keeper starts it again when it has ended.
        is_paused: it was sent SIGSTOP.
        lines: its log lines so far, as `read` has found them.
        ends: what it said when it ended by itself.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        says_ready: Callable[[Line], bool] = lambda _: True,
    ) -> None:
        self.name = name
        self.command = list(command)
        self.log = log
        self._says_ready = says_ready
        self._process: subprocess.Popen[bytes] | None = None
        self._read_bytes = 0
        self.started_lines = 0  # of those before the last start
        self.is_wanted = False
        self.is_paused = False
        self.lines: list[Line] = []
        self.ends: list[str] = []

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def is_ready(self) -> bool:
        """Whether it runs, and has said that it is ready."""
        self.read()
        fresh = self.lines[self.started_lines :]
        return self.is_running and not self.is_paused and any(map(self._says_ready, fresh))

    def start(self) -> None:
        """Start it, unless it runs: the mends of two faults may both want to."""
        if self.is_running:
            return
        self.read()
        self.started_lines = len(self.lines)
        self.is_wanted, self.is_paused = True, False
        with self.log.open("ab") as sink:
            self._process = subprocess.Popen(
                self.command, stdout=sink, stderr=sink, stdin=subprocess.DEVNULL
            )

    def kill(self) -> None:
        """End it at once; nobody starts it again."""
        self.is_wanted = False
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(PATIENCE_S)
        self.is_paused = False

    async def stop(self) -> None:
        """Ask it to end, and wait until it has; nobody starts it again."""
        self.is_wanted = False
        self.resume()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            await asyncio.to_thread(self._process.wait, PATIENCE_S)

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)
        self.is_paused = True

    def resume(self) -> None:
        if self.is_paused:
            self._signal(signal.SIGCONT)
        self.is_paused = False

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, number)

    def read(self) -> None:
        """Read what it has written since the last time."""
        if not self.log.exists():
            return
        with self.log.open("rb") as file:
            file.seek(self._read_bytes)
            whole = file.read()
        whole = whole[: whole.rfind(b"\n") + 1]
        self._read_bytes += len(whole)
        self.lines += (line_of(text) for text in whole.splitlines() if _CALL not in text)

    def logged(self, event: str) -> list[Line]:
        self.read()
        return [line for line in self.lines if line.event == event]

    def note_end(self) -> None:
        """Keep how it ended, where nobody had asked for that."""
        assert self._process is not None
        was_ready = any(map(self._says_ready, self.lines[self.started_lines :]))
        when = "in service" if was_ready else "before it was ready"
        last = self.log.read_bytes()[-600:].decode(errors="replace")
        code = self._process.returncode
        self.ends.append(f"{self.name} ended {when}, exit code {code}: …{last.strip()}")


class Keeper:
    """Starts what should run again when it has ended, as systemd does; and reads what all say."""

    def __init__(self, programs: Sequence[Program]) -> None:
        self._programs = programs
        self._again_s: dict[str, float] = {}

    async def run(self) -> None:
        while True:
            now_s = time.monotonic()
            for program in self._programs:
                program.read()
                if not program.is_wanted or program.is_running:
                    continue
                if program.name not in self._again_s:
                    program.note_end()
                    self._again_s[program.name] = now_s + AGAIN_S
                elif now_s >= self._again_s[program.name]:
                    del self._again_s[program.name]
                    program.start()
            await asyncio.sleep(LOOK_S)


async def until(is_so: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait until something is so.

    Raises:
        TimeoutError: it takes too long.
    """
    end_s = time.monotonic() + patience_s
    while not is_so():
        if time.monotonic() > end_s:
            raise TimeoutError(what)
        await asyncio.sleep(LOOK_S)
