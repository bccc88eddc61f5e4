"""The agents, spread over the replicas: each a `join` with a TUN device on a machine of its own."""

import json
import subprocess
import sys
from functools import partial
from ipaddress import IPv4Interface
from pathlib import Path
from typing import NamedTuple

from benchmarks.cluster import PROGRAM
from benchmarks.drill.programs import Line, Program, until
from benchmarks.drill.site import MACHINES, Site
from nc import log_events
from nc.agent.state import StateFolder

_NCADM = str(Path(sys.executable).with_name("ncadm"))
_MACHINE_AT = {address: name for name, address in MACHINES.items()}
_JOIN_S = 120.0
_AT_ONCE = 5


class Link(NamedTuple):
    """An agent was connected."""

    at_ns: int
    replica: str  # the machine
    address: str


class Nodes:
    """All of them; each knows all replicas, and chance decides at which one it is first.

    Attributes:
        programs: the agents, by their machines' names.
    """

    def __init__(self, site: Site, names: list[str]) -> None:
        self._site = site
        self.programs = {name: Program(f"agent {name}", [], self._lines(name)) for name in names}
        self._hints: dict[str, str] = {}

    def _lines(self, name: str) -> Path:
        return self._site.home / f"{name}.lines"

    async def join(self) -> None:
        """Let them join, and wait until all are connected."""
        token, ca_hash = self._invitation()
        for number, (name, program) in enumerate(self.programs.items()):
            hosts = list(MACHINES.values())
            first = number % len(hosts)
            servers = ",".join(f"{host}:6439" for host in hosts[first:] + hosts[:first])
            program.command = self._site.lab.command(
                *(name, PROGRAM, "join", servers, "--token-file", token, "--name", name),
                *("--ca-cert-hash", ca_hash, "--state-dir", self._site.home / name),
            )
            program.start()
            if (number + 1) % _AT_ONCE == 0:
                await self._until_linked()
        await self._until_linked()

    async def _until_linked(self) -> None:
        for name, program in self.programs.items():
            if program.is_running:
                await until(partial(self.is_linked, name), f"agent {name}", _JOIN_S)

    def _invitation(self) -> tuple[Path, str]:
        """The file of a token, and the CA's hash."""
        first = next(iter(MACHINES))
        command = [_NCADM, "--data-dir", str(self._site.home / first), "--output", "json"]
        command += ["create-bootstrap-token", "--life", "never"]
        done = subprocess.run(
            self._site.lab.command(first, *command), check=True, stdout=subprocess.PIPE
        )
        made = json.loads(done.stdout)
        words = made["joinCommand"].split()
        file = self._site.home / "token"
        file.touch(mode=0o600)
        file.write_text(made["joinToken"].partition("@")[0])
        return file, words[words.index("--ca-cert-hash") + 1]

    def links(self, name: str) -> list[Link]:
        """See `links_of`."""
        return links_of(self.programs[name])

    def is_linked(self, name: str) -> bool:
        """Whether an agent's link has not ended."""
        self.programs[name].read()
        lines = self.programs[name].lines
        last = next((line for line in reversed(lines) if line.event in _ABOUT_LINKS), None)
        return last is not None and last.event == log_events.AGENT_CONNECTED

    def at(self, replica: str) -> list[str]:
        """The nodes whose last link is at a machine."""
        links = {name: self.links(name) for name in self.programs}
        return [name for name, found in links.items() if found and found[-1].replica == replica]

    def identity(self, name: str) -> tuple[str, str]:
        """See `identity`."""
        return identity(self._site.home, name)

    def close(self) -> None:
        for program in self.programs.values():
            program.kill()


def identity(home: Path, name: str) -> tuple[str, str]:
    """A node's token and id."""
    node = StateFolder(home / name).load()
    assert node is not None
    return node.token, str(node.node_id())


def links_of(agent: Program) -> list[Link]:
    """Every link that an agent has had, in order."""
    return [_link_in(line) for line in agent.logged(log_events.AGENT_CONNECTED)]


_ABOUT_LINKS = {log_events.AGENT_CONNECTED, log_events.AGENT_DISCONNECTED}


def _link_in(line: Line) -> Link:
    host = str(line.fields["server"]).partition(":")[0]
    return Link(line.at_ns, _MACHINE_AT[host], str(IPv4Interface(line.fields["address"]).ip))
