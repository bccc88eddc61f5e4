"""A server and nodes with TUN devices, each machine a network namespace, for tests to share."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.lab import Lab
from tests.support.agent_process import JOIN, AgentProcess
from tests.support.namespaces import reaches
from tests.support.programs import run_program
from tests.support.server_process import ServerProcess

MACHINES = {
    "server": "192.168.77.1",
    "a": "192.168.77.2",
    "b": "192.168.77.3",
    "c": "192.168.77.4",
    "elsewhere": "192.168.77.5",
}
NODES = ("a", "b", "c")

# What the systemd units leave of a process's rights.
CAPABILITY = "-all,+net_admin"
AS_A_SERVICE = ("setpriv", "--no-new-privs", f"--bounding-set={CAPABILITY}")
SERVER = "10.1.1.1"
PORTS = ("--grpc-port", "6440", "--bootstrap-port", "6439", "--link-port", "6441")


class Overlay:
    """The lab with a server in it, whose agents come and go."""

    def __init__(self, lab: Lab, home: Path) -> None:
        self.lab = lab
        self.home = home
        self.agents: dict[str, AgentProcess] = {}
        self.server = self.start_server()

    def start_server(self, *arguments: str) -> ServerProcess:
        """Start it with the data that is there."""
        return ServerProcess(
            self.home / "data",
            *("--advertise", MACHINES["server"], "--tun", "on", *PORTS, *arguments),
            namespace=self.lab.namespace("server"),
        )

    def admin(self, *arguments: str) -> dict[str, Any]:
        """What `ncadm` answers on the server's machine."""
        folder = str(self.home / "data")
        words = ("--data-dir", folder, "--output", "json", *arguments)
        done = run_program("ncadm", *words, namespace=self.lab.namespace("server"))
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def join(
        self,
        name: str,
        *arguments: str,
        state: str | None = None,
        through: tuple[str, ...] = (),
    ) -> AgentProcess:
        """Start an agent on a machine, instead of the one before; without a token it resumes.

        `through` is a command that runs it.
        """
        if name in self.agents:
            self.agents[name].close()
        words: tuple[str | Path, ...] = (*arguments, "--state-dir", self.home / (state or name))
        if through:
            command = self.lab.command(name, *through, *JOIN)
            self.agents[name] = AgentProcess(*words, command=command)
        else:
            self.agents[name] = AgentProcess(*words, namespace=self.lab.namespace(name))
        return self.agents[name]

    def invite(self) -> list[str]:
        """The arguments of the join line that `ncadm` prints."""
        words = self.admin("create-bootstrap-token")["joinCommand"].split()
        return list(words[2:])

    def token(self, name: str) -> str:
        """A node's token, from its state folder."""
        return str(json.loads((self.home / name / "node.json").read_bytes())["token"])

    def state(self, name: str) -> tuple[int, str]:
        """Where the server says that a node is: the state's number, and the address."""
        answer = self.admin("check-conn-state", "--node-token", self.token(name))
        return answer["connState"], answer["bindIp"]

    def address(self, name: str) -> str:
        """The address that a node was last connected with."""
        connected = self.agents[name].logged("agent.connected")[-1]
        return str(connected["address"].partition("/")[0])

    def reach_each_other(self, names: tuple[str, ...]) -> list[tuple[str, str]]:
        """The pairs of these, and the server, in which no ping is answered."""
        addresses = {"server": SERVER} | {name: self.address(name) for name in names}
        pairs = [(x, y) for x in addresses for y in addresses if x != y]
        with ThreadPoolExecutor(len(pairs)) as pool:
            answered = list(pool.map(lambda p: reaches(self.lab, p[0], addresses[p[1]]), pairs))
        return [pair for pair, is_answered in zip(pairs, answered, strict=True) if not is_answered]

    def close(self) -> None:
        """End every process."""
        for agent in self.agents.values():
            agent.close()
        self.server.close()
