"""The node agent as a process of its own, and what it says."""

import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from tests.support.forked_popen import ForkedPopen
from tests.support.forked_program import ForkedProgram
from tests.support.server_process import PATIENCE_S, PROGRAM, parse

JOIN = (PROGRAM, "join")

_LOOK_INTERVAL_S = 0.01


class AgentProcess:
    """An agent that runs until `kill`, `stop` or the end of the `with` block.

    Args:
        arguments: of the command line.
        command: what is run, up to its options.
        environment: its environment; this process's own by default.
        namespace: of the network that it is in, where no other command runs it.
    """

    def __init__(
        self,
        *arguments: str | Path,
        command: Sequence[str] = JOIN,
        environment: dict[str, str] | None = None,
        namespace: str = "",
    ) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `close`
        whole = [*command, *map(str, arguments)]
        self._process: subprocess.Popen[bytes] | ForkedProgram
        if command == JOIN:
            self._process = ForkedProgram(
                whole,
                stdout=self._stderr,
                stderr=self._stderr,
                environment=environment,
                namespace=namespace,
            )
        else:
            self._process = ForkedPopen(
                whole,
                stdin=subprocess.DEVNULL,
                stdout=self._stderr,
                stderr=self._stderr,
                env=environment,
            )
        self._read_bytes = 0
        self.said = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def lines(self) -> list[dict[str, Any]]:
        """Every log line so far."""
        if not self._stderr.closed:
            file = (
                self._stderr.fileno()
            )  # whose position is the program's: it goes on writing there
            self.said = os.pread(file, os.fstat(file).st_size, 0).decode()
        whole, _, _ = self.said.rpartition("\n")
        return [fields for line in whole.splitlines() if (fields := parse(line.encode()))]

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Every log line of this name so far."""
        return [fields for fields in self.lines() if fields.get("event") == event]

    def wait_for(self, event: str, count: int = 1) -> dict[str, Any]:
        """The log line of this name, or the last of so many; fails if it never comes."""
        end_s = time.monotonic() + PATIENCE_S
        while len(found := self.logged(event)) < count:
            is_alive = self._process.poll() is None
            if not is_alive and len(self.logged(event)) >= count:
                continue
            assert is_alive, f"it ended before {event}:\n{self.said}"
            assert time.monotonic() < end_s, f"{event} did not come:\n{self.said}"
            time.sleep(_LOOK_INTERVAL_S)
        return found[count - 1]

    def wait_for_text(self, text: str) -> None:
        """Wait until it has written this."""
        give_up_at = time.monotonic() + PATIENCE_S
        while text not in self.said:
            self.lines()
            assert self._process.poll() is None, self.said
            assert time.monotonic() < give_up_at, self.said
            time.sleep(_LOOK_INTERVAL_S)

    @property
    def pid(self) -> int:
        return self._process.pid

    def send_signal(self, number: int) -> None:
        """Send a signal to it."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait."""
        self._process.kill()
        self._process.wait(PATIENCE_S)

    def stop(self) -> int:
        """SIGTERM, and wait; returns the exit code."""
        self._process.terminate()
        return self.wait()

    def wait(self) -> int:
        """Wait until it ends by itself; returns the exit code."""
        code = self._process.wait(PATIENCE_S)
        self.close()
        return code

    def close(self) -> None:
        """Kill it if it still runs, and keep what it said. Idempotent."""
        if self._stderr.closed:
            return
        self.kill()
        self.lines()
        self._stderr.close()
