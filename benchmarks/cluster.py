"""Servers of ours on one stream of three servers of NATS, for `replicas.py`, over mutual TLS.

All are real processes, listen on loopback and write below one folder; the end of `with` ends each
of them, and no other.
"""

import contextlib
import json
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks.servers import Running
from tests.support.nats_identities import write_certificates
from tests.support.nats_servers import NatsServer, address_of, free_port
from tests.support.server_process import parse

NETWORK = "10.0.0.1/8"
PROGRAM = str(Path(sys.executable).with_name("network-controller"))
LAST_LINE = "get a bootstrap token"  # of what `serve` prints once it is ready
PATIENCE_S = 60.0


class Stream:
    """Three servers of NATS, and addresses of streams in them."""

    def __init__(self, servers: list[NatsServer], pki: Path) -> None:
        self._servers = servers
        self._files = f"&ca={pki}/ca.pem&cert={pki}/client.pem&key={pki}/client-key.pem"

    def address(self, name: str) -> str:
        return address_of(*self._servers, stream=name, more=self._files)


@contextlib.contextmanager
def three_of_nats(home: Path) -> Iterator[Stream]:
    """Have them meanwhile, once they have a leader for their streams."""
    pki = home / "nats-pki"
    write_certificates(pki)
    settings = (
        f'tls {{ cert_file: "{pki}/server.pem", key_file: "{pki}/server-key.pem", '
        f'ca_file: "{pki}/ca.pem", verify: true }}'
    )
    hosts = {number: f"127.0.1.{number}" for number in (1, 2, 3)}
    routes = {number: (host, free_port(host)) for number, host in hosts.items()}
    servers = [
        NatsServer(home / f"n{number}", number=number, routes=routes, extra=settings)
        for number in hosts
    ]
    monitor = free_port("")
    with contextlib.ExitStack() as stack:
        for server in servers:
            stack.callback(server.kill)
            server.start(monitor)
        for server in servers:
            server.wait()
            _wait_for_leader(f"http://{server.host}:{monitor}/jsz")
        yield Stream(servers, pki)


def _wait_for_leader(page: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(page, timeout=5) as answer,  # noqa: S310 - ours
        ):
            if json.load(answer).get("meta_cluster", {}).get("leader"):
                return
        time.sleep(0.1)
    raise TimeoutError("the servers of NATS have no leader")


class Server:
    """One of our servers; `start` may come again after `kill` or `stop`.

    Args:
        data: its data folder.
        stream: the address of the stream that it keeps its log in; None: in its data folder.
    """

    def __init__(self, data: Path, stream: str | None = None) -> None:
        self.data = data
        self._log_lines = data.with_suffix(".log")
        self._command = [PROGRAM, "serve", "--tun", "off", "--metrics-listen", "none"]
        self._command += ["--data-dir", str(data), "--advertise", "127.0.0.1"]
        self._command += ["--network-addr", NETWORK]
        self._command += ["--grpc-port", "0", "--bootstrap-port", "0", "--link-port", "0"]
        self._command += [] if stream is None else ["--cluster", stream]
        self.running: Running
        self._process: subprocess.Popen[str] | None = None

    @property
    def pki(self) -> Path:
        return self.data / "pki" / "grpc"

    def start(self) -> float:
        """Start it; how long that took until it was ready, seconds.

        Raises:
            RuntimeError: it ended.
        """
        began = time.perf_counter()
        with self._log_lines.open("a") as stderr:
            process = subprocess.Popen(
                self._command, stdout=subprocess.PIPE, stderr=stderr, text=True
            )
        self._process = process
        assert process.stdout
        port = 0
        for line in process.stdout:
            if found := re.search(r"control +port (\d+)", line):
                port = int(found[1])
            if LAST_LINE in line:
                self.running = Running(process, port)
                return time.perf_counter() - began
        raise RuntimeError(self._log_lines.read_text()[-2000:])

    def last_led(self) -> int:
        """The newest term in which it was elected; 0: never."""
        with self._log_lines.open("rb") as lines:
            elected = [parse(line) for line in lines if b"leader.elected" in line]
        return max((line["epoch"] for line in elected if line["is_own"]), default=0)

    def kill(self) -> None:
        """End it at once: no handler of its own runs."""
        self._end(subprocess.Popen.kill)

    def stop(self) -> None:
        self._end(subprocess.Popen.terminate)

    def _end(self, how: "Callable[[subprocess.Popen[str]], None]") -> None:
        process, self._process = self._process, None
        if process is not None:
            how(process)
            process.wait(PATIENCE_S)
            assert process.stdout
            process.stdout.close()


class Servers:
    """Those of one stream, which all have the secrets of the first; ended with `with`.

    Args:
        home: has their data folders, and is made.
        address: of the stream.
    """

    def __init__(self, home: Path, address: str) -> None:
        home.mkdir()
        self._home, self._address = home, address
        self.all: list[Server] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for server in self.all:
            server.kill()

    def add(self, data: Path | None = None) -> Server:
        """One more, not started: with this data folder, or a new one with the first's secrets."""
        server = Server(data or self._home / str(len(self.all)), self._address)
        if self.all and data is None:
            copy_secrets(self.all[0].data, server.data)
        self.all.append(server)
        return server

    def leader(self) -> Server:
        return max(self.all, key=Server.last_led)


def copy_secrets(source: Path, target: Path) -> None:
    """What an operator mounts: the key, and both CAs."""
    target.mkdir(mode=0o700)
    shutil.copy2(source / "secret.key", target)
    shutil.copytree(source / "pki", target / "pki")
