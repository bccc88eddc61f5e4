"""A server's process: started on free ports of the loopback, until it is stopped or killed."""

import json
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from nc import log_events
from nc.testing.targets.target import ServerGone

LOOPBACK: Final = "127.0.0.1"

# The log events that report a bug in the server.
_CRASHES: Final = tuple(
    event.encode()
    for event in (log_events.RPC_CRASHED, log_events.LINK_CRASHED, log_events.TASK_FAILED)
)

# Far beyond what a start or an end takes: it only turns a hang into a failure.
_PATIENCE_S: Final = 120.0

_LOOK_S: Final = 0.02


class Process:
    """One life of a server; its log lines go to a file beside its data folder.

    Attributes:
        ports: by the names that it gives them when it has started.

    Raises:
        ServerGone: it did not start; with what it logged.
    """

    def __init__(self, command: Sequence[str], data_dir: Path, network: str) -> None:
        # A file, since a full pipe would block the server; opened twice, since an inherited
        # descriptor would share its position.
        descriptor, path = tempfile.mkstemp(prefix="server-", suffix=".log", dir=data_dir.parent)
        self._lines = Path(path).open("rb")  # noqa: SIM115 - closed in `wait`
        self._process = subprocess.Popen(  # noqa: S603 - the caller's own command
            [
                *command,
                *("--data-dir", str(data_dir), "--advertise", LOOPBACK),
                *("--grpc-port", "0", "--bootstrap-port", "0", "--link-port", "0"),
                *("--network-addr", network, "--tun", "off"),
                # the model knows none of these
                *("--reclaim-after", "0s", "--guess-rate", "0"),
                *("--certificate-lifetime", "365d"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=descriptor,
        )
        os.close(descriptor)
        try:
            self.ports = self._wait_until_ready()
        except BaseException:  # the caller cannot end it yet
            self.kill()
            self.wait()
            raise

    def require_health(self) -> None:
        """Raise ServerGone if it has ended, or logged that something in it crashed."""
        if self._process.poll() is not None:
            raise ServerGone(f"the server ended by itself, with exit code {self._process.poll()}")
        for line in self._lines:
            if any(event in line for event in _CRASHES):
                raise ServerGone(line.decode(errors="replace").strip())

    def terminate(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self._process.kill()

    def wait(self) -> int:
        """Wait for the process's end, and kill it if that takes too long; its exit code."""
        try:
            return self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise ServerGone(f"the server did not end within {_PATIENCE_S:g} s") from None
        finally:
            self._process.kill()
            self._process.wait(_PATIENCE_S)
            self._lines.close()

    def _wait_until_ready(self) -> dict[str, int]:
        for _ in range(int(_PATIENCE_S / _LOOK_S)):
            self._lines.seek(0)
            for line in self._lines:
                if b"server.started" in line and line.endswith(b"\n"):
                    fields: dict[str, Any] = json.loads(line)
                    return {k: int(v) for k, v in fields.items() if k.endswith("_port")}
            if self._process.poll() is not None:
                break
            threading.Event().wait(_LOOK_S)
        self._lines.seek(0)
        said = self._lines.read().decode(errors="replace")
        raise ServerGone(f"the server did not start: {said}")
