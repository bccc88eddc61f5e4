"""A real server in a process of its own: started, killed in the middle of things, started again.

Over gRPC with TLS, on real files and free ports of the loopback. All trials share its data folder,
so that starts read what earlier trials left.
"""

import asyncio
import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from eventlog import LogReader
from nc.domain.events import Batch, Event
from nc.rpc.client import ClientTls
from nc.testing.history import LogView
from nc.testing.operations import Crash, Port
from nc.testing.targets.remote import Remote
from nc.testing.targets.target import Ability, Reply, Request

SERVE = (str(Path(sys.executable).with_name("network-controller")), "serve")

_LOOPBACK = "127.0.0.1"

# Far beyond what a start or an end takes: it only turns a hang into a failure.
_PATIENCE_S = 30.0

_LOOK_S = 0.02

_MS_A_STEP = 2  # of a crash: how much of what is under way happens before the process is killed


class ServerProcess(Remote):
    """A target: this package's server, or whatever `command` starts that takes the same options.

    Args:
        command: what is run, up to its options.
        data_dir: its data folder; a temporary one that is gone in the end without.

    Attributes:
        tls: what an administrator trusts and shows.
    """

    def __init__(self, command: Sequence[str] = SERVE, data_dir: Path | None = None) -> None:
        self._command = tuple(command)
        self._temporary = Path(tempfile.mkdtemp(prefix="nc-check-")) if data_dir is None else None
        self._data_dir = data_dir or Path(self._temporary or "") / "data"
        self._seen_seq = 0
        self._lines: list[IO[bytes]] = []
        self._process: subprocess.Popen[bytes] | None = None
        ports = self._start()
        pki = self._data_dir / "pki" / "grpc"
        names = ("ca.pem", "client-key.pem", "client.pem")
        tls = ClientTls(*((pki / name).read_bytes() for name in names))
        super().__init__(_LOOPBACK, ports[0], tls, ports[1], skew_ms=0)
        self.tls = tls

    @property
    def control_port(self) -> int:
        """Where it listens now; another port after each start."""
        return self._ports[Port.CONTROL] or 0

    def events(self) -> list[Event]:
        """Every event in its log, of all trials."""
        return [
            event
            for record in self._reader().read()
            for entry in Batch.FromString(record.payload).entries
            for event in entry.events
        ]

    @property
    def abilities(self) -> frozenset[Ability]:
        """Everything but links, and a clock of its own."""
        own = {Ability.CRASH, Ability.RESTART, Ability.ETERNITY}
        return super().abilities | own

    def begin(self, network: str) -> str:
        """The same server as before, once it has nothing more of the last trial to do."""
        self._seen_seq = sum(record.count for record in self._reader().read())
        return super().begin(network)

    def perform_and_crash(self, requests: Sequence[Request], crash: Crash) -> list[Reply]:
        """Kill the process (SIGKILL) while it is at it, or after it."""
        replies = self._run(self._perform_and_kill(requests, crash.at_step * _MS_A_STEP / 1000))
        self._come_back()
        return replies

    def restart(self, network: str) -> None:
        """SIGTERM, and a new start."""
        if network:
            raise ValueError("its network is chosen by its command")
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
        self._come_back()

    def log(self) -> LogView:
        """What this trial's operations left in the log."""
        entries = [
            entry
            for record in self._reader().read(self._seen_seq)
            for entry in Batch.FromString(record.payload).entries
        ]
        return LogView(entries, None, None)

    def close(self) -> None:
        """End the process, and remove its temporary folder. Idempotent."""
        super().close()
        self._end_process()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _reader(self) -> LogReader:
        return LogReader(self._data_dir / "log")

    async def _perform_and_kill(self, requests: Sequence[Request], after_s: float) -> list[Reply]:
        async def kill() -> None:
            await asyncio.sleep(after_s)
            if self._process is not None:
                self._process.kill()

        _, *replies = await asyncio.gather(kill(), *map(self._reply, requests))
        return [reply for reply in replies if reply is not None]

    def _come_back(self) -> None:
        self._run(self._hang_up())
        if self._process is not None:
            self._process.wait(_PATIENCE_S)
        self._end_process()
        control, bootstrap = self._start()
        self._ports = {Port.CONTROL: control, Port.BOOTSTRAP: bootstrap}

    def _start(self) -> tuple[int, int]:
        """Start the process; the control and the bootstrap port, once it is ready."""
        self._data_dir.parent.mkdir(parents=True, exist_ok=True)
        lines = (self._data_dir.parent / "server.log").open("w+b")  # without a pipe nobody waits
        self._lines.append(lines)
        self._process = subprocess.Popen(  # noqa: S603 - the caller's own command
            [
                *self._command,
                *("--data-dir", str(self._data_dir), "--advertise", _LOOPBACK),
                *("--grpc-port", "0", "--bootstrap-port", "0", "--link-port", _free_port()),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=lines,
        )
        return self._wait_until_ready(lines)

    def _wait_until_ready(self, lines: IO[bytes]) -> tuple[int, int]:
        for _ in range(int(_PATIENCE_S / _LOOK_S)):
            lines.seek(0)
            for line in lines:
                if b"server.started" in line and line.endswith(b"\n"):
                    fields = json.loads(line)
                    return int(fields["grpc_port"]), int(fields["bootstrap_port"])
            if self._process is None or self._process.poll() is not None:
                break
            threading.Event().wait(_LOOK_S)
        lines.seek(0)
        self._end_process()
        raise RuntimeError(f"the server did not start: {lines.read().decode(errors='replace')}")

    def _end_process(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(_PATIENCE_S)
            self._process = None
        while self._lines:
            self._lines.pop().close()


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        return str(probe.getsockname()[1])
