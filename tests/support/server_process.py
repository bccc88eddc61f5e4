"""The real program in a process of its own: real TLS, real files, ports that the kernel picks.

It is ready when its log line `server.started` says so, and it is ended as this process's own child,
by its id; nothing is ever waited for by the clock.
"""

import json
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import grpc

from tests.support.forked_program import ForkedProgram, is_script

LOOPBACK = "127.0.0.1"
PROGRAM = str(Path(sys.executable).with_name("network-controller"))
SERVE = (PROGRAM, "serve")

# Far beyond what any step takes: it only turns a hang into a failure.
PATIENCE_S = 60.0

# One connection a channel: gRPC would otherwise let channels to one port share theirs.
CHANNEL_OPTIONS = (("grpc.use_local_subchannel_pool", 1),)


class ServerProcess:
    """A server that runs until `kill`, `stop` or the end of the `with` block.

    Args:
        data_dir: its data folder.
        arguments: more of the command line.
        command: what is run, up to its options: the default and scripts are forked.
        ready: the log line that is waited for.
        namespace: of the network that it is in, where no other command runs it.
        metrics: where metrics are served; by default nowhere, since servers would share a port.
    """

    def __init__(
        self,
        data_dir: Path,
        *arguments: str,
        command: Sequence[str] = SERVE,
        ready: str = "server.started",
        metrics: Sequence[str] = ("--metrics-listen", "none"),
        namespace: str = "",
    ) -> None:
        self.data_dir = data_dir
        self.log_dir = data_dir / "log"
        self.stderr = bytearray()  # all that it wrote so far
        self.stdout = b""  # all that it wrote, once it has ended
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()  # b"" is the end
        self._stdout = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `close`
        whole = [
            *command,
            *("--data-dir", str(data_dir), "--advertise", LOOPBACK),
            *("--grpc-port", "0", "--bootstrap-port", "0", "--link-port", "0"),
            *("--tun", "off", *metrics, *arguments),
        ]
        self._process: subprocess.Popen[bytes] | ForkedProgram
        if command == SERVE or is_script(command):
            self._process = ForkedProgram(whole, stdout=self._stdout, namespace=namespace)
        else:
            self._process = subprocess.Popen(
                whole, stdin=subprocess.DEVNULL, stdout=self._stdout, stderr=subprocess.PIPE
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            started = self.wait_for(ready)
        except BaseException:
            self.close()
            raise
        self.control_port = int(started.get("grpc_port", 0))
        self.bootstrap_port = int(started.get("bootstrap_port", 0))
        self.link_port = int(started.get("link_port", 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.stderr += line
            self._lines.put(line)
        self._lines.put(b"")

    def wait_for(self, event: str) -> dict[str, Any]:
        """The next log line of this name; fails if the process ends without it."""
        while line := self._lines.get(timeout=PATIENCE_S):
            fields = parse(line)
            if fields.get("event") == event:
                return fields
        raise AssertionError(f"the server ended before {event}:\n{self.stderr.decode()}")

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Every log line of this name so far."""
        return [
            f
            for line in bytes(self.stderr).splitlines()
            if (f := parse(line)).get("event") == event
        ]

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    @property
    def peak_memory_mib(self) -> int:
        """The most memory that the process has had resident so far."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        return int(status.split("VmHWM:")[1].split()[0]) // 1024

    def send_signal(self, number: int) -> None:
        """Send a signal to it."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL: no handler runs, nothing is flushed. Returns at once."""
        self._process.kill()

    def stop(self) -> int:
        """SIGTERM, and wait; returns the exit code."""
        self._process.terminate()
        code = self._process.wait(PATIENCE_S)
        self.close()
        return code

    def wait(self) -> int:
        """Wait for its end; returns the exit code."""
        code = self._process.wait(PATIENCE_S)
        self.close()
        return code

    def close(self) -> None:
        """Kill it if it still runs, and keep what it said. Idempotent."""
        if self._stdout.closed:
            return
        self._process.kill()
        self._process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        assert self._process.stderr is not None
        self._process.stderr.close()
        self._stdout.seek(0)
        self.stdout = self._stdout.read()
        self._stdout.close()

    def credentials(self, *, admin: bool) -> grpc.ChannelCredentials:
        """What a client needs: the server's CA, and for an admin its own certificate."""
        pki = self.data_dir / "pki" / "grpc"
        ca = (pki / "ca.pem").read_bytes()
        if not admin:
            return grpc.ssl_channel_credentials(ca)
        key, certificate = (pki / "client-key.pem").read_bytes(), (pki / "client.pem").read_bytes()
        return grpc.ssl_channel_credentials(ca, key, certificate)

    @property
    def control_target(self) -> str:
        return f"{LOOPBACK}:{self.control_port}"

    @property
    def bootstrap_target(self) -> str:
        return f"{LOOPBACK}:{self.bootstrap_port}"


def parse(line: bytes) -> dict[str, Any]:
    """A log line's fields; none if it is not one."""
    try:
        fields = json.loads(line)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}
