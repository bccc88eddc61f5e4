"""Servers of NATS for tests: real processes on loopback, each with JetStream in a folder."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

# Another version than that of the environment: see `just test-nats`.
PROGRAM = Path(
    os.environ.get("NC_TESTS_NATS_SERVER") or Path(sys.executable).with_name("nats-server")
)
START_S = 60  # a busy machine takes a while


def free_port(host: str) -> int:
    with socket.socket() as found:
        found.bind((host, 0))
        return int(found.getsockname()[1])


class NatsServer:
    """One server, or one of a cluster.

    Args:
        folder: its files.
        sync: what its settings say about `sync_interval`; "": nothing.
        extra: more settings.
        number: in the cluster, from 1.
        routes: host and port of the cluster's servers, this one included.
        jetstream: more settings of JetStream.
        store: where it keeps streams; by default in its folder.
        has_jetstream: whether it has JetStream at all.
    """

    def __init__(
        self,
        folder: Path,
        *,
        sync: str = "always",
        extra: str = "",
        number: int = 1,
        routes: Mapping[int, tuple[str, int]] | None = None,
        jetstream: str = "",
        store: Path | None = None,
        has_jetstream: bool = True,
    ) -> None:
        self.folder = folder
        self.store = folder / "store" if store is None else store
        self.number = number
        self.sync = sync
        self.extra = extra
        self.routes = routes or {}
        self.jetstream = jetstream
        self.has_jetstream = has_jetstream
        self.host = f"127.0.1.{number}"
        self.port = free_port(self.host)
        self.monitor = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, monitor: int) -> None:
        """Start it; `monitor` is the port of its monitoring page."""
        self.monitor = monitor
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = self.folder / "nats.conf"
        settings.write_text(self._settings())
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([PROGRAM, "-c", settings], stdout=log, stderr=log)

    def reload(self, extra: str) -> None:
        """Use other settings, without a restart."""
        self.extra = extra
        (self.folder / "nats.conf").write_text(self._settings())
        self._signal(signal.SIGHUP)

    def _settings(self) -> str:
        cluster = ""
        if self.routes:
            here, port = self.routes[self.number]
            others = [f'"nats-route://{h}:{p}"' for n, (h, p) in self.routes.items()]
            cluster = (
                f'cluster {{ name: trial, listen: "{here}:{port}", no_advertise: true, '
                f"routes: [{', '.join(others)}] }}"
            )
        sync = f"sync_interval: {self.sync}" if self.sync else ""
        jetstream = (
            f'jetstream {{ store_dir: "{self.store}", max_mem: 64M, max_file: 4G, {sync}\n'
            f"{self.jetstream} }}"
        )
        return f"""
server_name: n{self.number}
listen: "{self.host}:{self.port}"
http: "{self.host}:{self.monitor}"
{jetstream if self.has_jetstream else ""}
{cluster}
{self.extra}
"""

    def wait(self) -> None:
        """Until it answers."""
        assert self._process is not None
        for _ in range(START_S * 20):
            if self._process.poll() is not None:
                raise AssertionError((self.folder / "log").read_text()[-600:])
            with contextlib.suppress(OSError):
                url = f"http://{self.host}:{self.monitor}/healthz"
                with urllib.request.urlopen(url, timeout=5) as page:
                    if json.load(page).get("status") == "ok":
                        return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.05)
        raise AssertionError("the server of NATS does not start")

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """Let it end in its own way, which writes down what it knows of its files."""
        assert self._process is not None
        self._signal(signal.SIGTERM)
        self._process.wait()

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None and self._process.poll() is None:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def _signal(self, number: int) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def forget(self) -> None:
        """Remove all that it stored."""
        shutil.rmtree(self.store, ignore_errors=True)


@contextlib.contextmanager
def nats_server(folder: Path, **settings: Any) -> Iterator[NatsServer]:
    """One server, ended at the end."""
    server = NatsServer(folder, **settings)
    server.start(free_port(server.host))
    try:
        server.wait()
        yield server
    finally:
        server.kill()


def address_of(*servers: NatsServer, stream: str, more: str = "") -> str:
    hosts = ",".join(f"{server.host}:{server.port}" for server in servers)
    scheme = "tls" if "ca=" in more else "nats"
    return f"{scheme}://{hosts}/{stream}?monitor={servers[0].monitor}{more}"


def flip_bit(store: Path, payload: bytes) -> None:
    """Flip a bit of a record's payload in the store of a server that has ended by itself."""
    (block,) = (each for each in store.rglob("*.blk") if "$SYS" not in each.parts)
    data = bytearray(block.read_bytes())
    data[data.index(payload) + 1] ^= 1
    block.write_bytes(data)
