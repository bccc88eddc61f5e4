"""`network-controller serve` as a process of its own: started, read, stopped by its own id."""

import io
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from tests.support.forked_program import ForkedProgram
from tests.support.programs import run_here

PROGRAM = Path(sys.executable).parent / "network-controller"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 60.0

_ANY_FREE_PORTS = (
    *("--grpc-port", "0", "--bootstrap-port", "0", "--link-port", "0"),
    *("--advertise", "127.0.0.1", "--tun", "off", "--metrics-listen", "none"),
)


class Lines:
    """What a stream has said so far; a thread reads it, tests wait for lines."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._lines: list[str] = []
        self._is_over = False
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def so_far(self) -> list[str]:
        """Every line until now."""
        with self._changed:
            return list(self._lines)

    def wait_for(self, is_wanted: Callable[[str], bool], timeout_s: float) -> str:
        """The first line that is wanted, already there or still to come."""
        seen = 0
        with self._changed:
            while True:
                for line in self._lines[seen:]:
                    if is_wanted(line):
                        return line
                seen = len(self._lines)
                if self._is_over or not self._changed.wait(timeout_s):
                    said = "\n".join(self._lines)
                    raise AssertionError(f"the line that was waited for never came, only:\n{said}")

    def join(self) -> None:
        """Wait until the stream has ended."""
        self._reader.join()
        self._stream.close()

    def _read(self) -> None:
        for line in self._stream:
            with self._changed:
                self._lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._is_over = True
            self._changed.notify_all()


class ServerProcess:
    """One server; `with` starts it and stops it by SIGTERM, and insists on exit code 0.

    Args:
        data_dir: its data folder.
        options: what follows `network-controller`; by default `serve` on free ports of loopback.
        options_after: options to add to that default.
    """

    grpc_port: int
    bootstrap_port: int
    link_port: int

    def __init__(
        self, data_dir: Path, *options_after: str, options: tuple[str, ...] | None = None
    ) -> None:
        self.data_dir = data_dir
        if options is None:
            options = ("serve", "--data-dir", str(data_dir), *_ANY_FREE_PORTS, *options_after)
        self.options = options
        self._process: ForkedProgram | None = None

    def __enter__(self) -> Self:
        if self._process is None:
            self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process.poll() is not None:
            return
        if error is None:
            self.stop()
        else:
            self.kill()

    def start(self) -> None:
        """Start it, and wait until it answers on both ports."""
        self.launch()
        try:
            started = self.wait_for("server.started")
        except BaseException:
            self.kill()
            raise
        self.grpc_port = int(started["grpc_port"])
        self.bootstrap_port = int(started["bootstrap_port"])
        self.link_port = int(started["link_port"])

    def launch(self) -> None:
        command, environment = [str(PROGRAM), *self.options], {**os.environ, "COLUMNS": "400"}
        self._process = ForkedProgram(command, environment=environment)
        assert self._process.stdout
        assert self._process.stderr
        self.stdout = Lines(io.TextIOWrapper(self._process.stdout))
        self.stderr = Lines(io.TextIOWrapper(self._process.stderr))

    @property
    def process(self) -> ForkedProgram:
        assert self._process is not None, "it was not started"
        return self._process

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def exit_code(self) -> int:
        """Wait until it has ended, and all that it said was read."""
        code = self.process.wait(STOP_TIMEOUT_S)
        self.stdout.join()
        self.stderr.join()
        return code

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to stop; it must do so by itself, with exit code 0."""
        self.send(number)
        code = self.exit_code()
        assert code == 0, "\n".join(self.stderr.so_far)

    def kill(self) -> None:
        """Let it end at once, as a crash would."""
        self.process.kill()
        self.exit_code()

    def log_lines(self) -> list[dict[str, Any]]:
        """Everything on stderr until now, each line one JSON object."""
        return [json.loads(line) for line in self.stderr.so_far]

    def wait_for(self, event: str, **fields: str) -> dict[str, Any]:
        """The first log line of an event with these fields."""

        def is_wanted(line: str) -> bool:
            if not line.startswith("{"):
                return False
            found: dict[str, Any] = json.loads(line)
            return found["event"] == event and fields.items() <= found.items()

        line: dict[str, Any] = json.loads(self.stderr.wait_for(is_wanted, START_TIMEOUT_S))
        return line

    def events(self, after: int = 0) -> list[dict[str, Any]]:
        """The event log, as `network-controller log show` tells it."""
        return read_events(self.data_dir, after)


def read_events(data_dir: Path, after: int = 0) -> list[dict[str, Any]]:
    """The event log of a data folder, as `network-controller log show` tells it."""
    options = ("--data-dir", str(data_dir), "--after", str(after), "--output", "json")
    shown = run_here("network-controller", "log", "show", *options)
    assert shown.returncode == 0, shown.stderr
    return [json.loads(line) for line in shown.stdout.splitlines()]
