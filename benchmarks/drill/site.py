"""Three machines, each with a server of NATS and one of ours, on one bridge with the nodes'.

    a, b, c      192.168.77.1 to .3    `nats-server` with packaging/nats/nats.conf, and `serve`
    clients      192.168.77.9          this process, which asks and measures
    n1, n2, …    192.168.77.101, …     an agent each

Everything is a real process; TLS is everywhere. A cut is an entry in a machine's neighbour table
that sends what is for another machine to nobody: packets vanish, and no program is told. A machine
that is cut from everything has its cable pulled out.
"""

import asyncio
import contextlib
import ctypes
import subprocess
import urllib.request
from collections.abc import Iterable, Iterator
from itertools import permutations
from pathlib import Path
from typing import Final

from benchmarks.cluster import PROGRAM, copy_secrets
from benchmarks.drill.programs import Line, Program, until
from benchmarks.lab import Lab
from nc import log_events
from tests.support.nats_identities import write_certificates
from tests.support.nats_servers import PROGRAM as NATS

MACHINES: Final = {"a": "192.168.77.1", "b": "192.168.77.2", "c": "192.168.77.3"}
CLIENTS: Final = "clients"
NATS_SETTINGS: Final = Path(__file__).parents[2] / "packaging" / "nats" / "nats.conf"
CONTROL_PORT: Final = 6440

_LOOK_S: Final = 0.2
_LOOKS: Final = 300
_NOBODY: Final = "02:00:00:00:00:fe"  # a hardware address that no machine has
_CLONE_NEWNET: Final = 0x40000000
_BEFORE_NODES: Final = 100  # the first node has the address behind it
MOST_NODES: Final = 254 - _BEFORE_NODES


def addresses(nodes: int) -> dict[str, str]:
    """Of all machines, with so many nodes."""
    ours = {CLIENTS: "192.168.77.9"}
    return (
        MACHINES | ours | {f"n{n}": f"192.168.77.{_BEFORE_NODES + n}" for n in range(1, nodes + 1)}
    )


@contextlib.contextmanager
def inside(lab: Lab, where: str) -> Iterator[None]:
    """Have this thread, and those that it starts, in a namespace of a network meanwhile."""
    with Path("/proc/thread-self/ns/net").open() as before:
        with Path(f"/run/netns/{lab.namespace(where)}").open() as there:
            _enter(there.fileno())
        try:
            yield
        finally:
            _enter(before.fileno())


def _enter(namespace: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Site:
    """See the module.

    Attributes:
        nats, replicas: the programs, by machine.
    """

    def __init__(self, lab: Lab, home: Path) -> None:
        self.lab, self.home = lab, home
        pki = home / "nats-pki"
        write_certificates(pki, list(MACHINES.values()))
        self.nats = {name: self._nats(name, pki) for name in MACHINES}
        files = f"&ca={pki}/ca.pem&cert={pki}/client.pem&key={pki}/client-key.pem"
        hosts = ",".join(f"{address}:4222" for address in MACHINES.values())
        self.stream = f"tls://{hosts}/nc?monitor=8222{files}"
        self.replicas = {name: self._replica(name) for name in MACHINES}
        self._cut: set[tuple[str, str]] = set()

    def _nats(self, name: str, pki: Path) -> Program:
        folder = self.home / f"nats-{name}"
        folder.mkdir()
        text = NATS_SETTINGS.read_text(encoding="utf-8")
        for old, new in (
            ('NAME = "a"', f'NAME = "{name}"'),
            ('HERE = "10.0.0.1"', f'HERE = "{MACHINES[name]}"'),
            ("/etc/nats/", f"{pki}/"),
            ("/var/lib/nats", str(folder / "store")),
            ("nats-route://10.0.0.", "nats-route://192.168.77."),
        ):
            assert old in text, old
            text = text.replace(old, new)
        settings = folder / "nats.conf"
        settings.write_text(text, encoding="utf-8")
        command = self.lab.command(name, NATS, "-c", settings)
        return Program(f"NATS {name}", command, folder / "lines", _nats_is_ready)

    def _replica(self, name: str) -> Program:
        command = self.lab.command(name, PROGRAM, "serve", "--data-dir", self.home / name)
        command += ["--advertise", MACHINES[name], "--tun", "on", "--cluster", self.stream]
        return Program(f"replica {name}", command, self.home / f"{name}.lines", _replica_is_ready)

    @property
    def programs(self) -> list[Program]:
        return [*self.nats.values(), *self.replicas.values()]

    async def start(self) -> None:
        """Start all; the first replica makes what the others share."""
        for program in self.nats.values():
            program.start()
        await self.until_nats()
        first, *others = self.replicas
        for name in (first, *others):
            if name != first:
                copy_secrets(self.home / first, self.home / name)
            self.replicas[name].start()
            await until(self.replicas[name].is_ready, f"replica {name}")

    async def until_nats(self) -> None:
        """Wait until each server of NATS has caught up with the others, or a minute."""
        for address in MACHINES.values():
            for _ in range(_LOOKS):
                if await asyncio.to_thread(_is_healthy, address):
                    break
                await asyncio.sleep(_LOOK_S)

    def leader(self) -> str:
        """The machine of the replica that leads, as far as any has said."""
        newest = 0, ""
        for name, program in self.replicas.items():
            for line in program.logged(log_events.LEADER_ELECTED):
                if line.fields["is_own"]:
                    newest = max(newest, (int(line.fields["epoch"]), name))
        return newest[1]

    def close(self) -> None:
        for program in self.programs:
            program.kill()

    # The network.

    def cut(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Let nothing pass from the first machine of each pair to the second."""
        for source, target in set(pairs) - self._cut:
            self._neighbour(source, "replace", target, "lladdr", _NOBODY, "nud", "permanent")
            self._cut.add((source, target))

    def mend(self) -> None:
        """Let everything pass."""
        for source, target in self._cut:
            self._neighbour(source, "del", target)
        self._cut.clear()
        for name in MACHINES:
            self._plug(name, "up")

    def isolate(self, name: str) -> None:
        """Let nothing in or out of a machine; nodes and clients do not reach it, either."""
        self._plug(name, "down")

    def _plug(self, name: str, state: str) -> None:
        words = ["link", "set", f"to-{name}", state]
        subprocess.run(["ip", "-n", self.lab.namespace("bridge"), *words], check=True)

    def _neighbour(self, source: str, verb: str, target: str, *words: str) -> None:
        address = self.lab.addresses[target]
        where = ["ip", "-n", self.lab.namespace(source), "neigh"]
        subprocess.run([*where, verb, address, *words, "dev", "eth0"], check=True)


def apart(names: Iterable[str]) -> list[tuple[str, str]]:
    """The pairs, both ways, between these machines and the other ones with servers."""
    here = set(names)
    return [(x, y) for x, y in permutations(MACHINES, 2) if (x in here) != (y in here)]


def _nats_is_ready(line: Line) -> bool:
    return "Server is ready" in str(line.fields.get("text", ""))


def _replica_is_ready(line: Line) -> bool:
    return line.event == log_events.SERVER_STARTED


def _is_healthy(host: str) -> bool:
    with (
        contextlib.suppress(OSError),
        urllib.request.urlopen(f"http://{host}:8222/healthz", timeout=2) as page,
    ):
        return bool(page.status == 200)  # noqa: PLR2004 - HTTP's
    return False
