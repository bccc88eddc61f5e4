"""Two servers on one stream of NATS and two nodes, each machine a network namespace."""

import shutil
import subprocess
from pathlib import Path

from benchmarks.lab import Lab, patiently
from tests.support.agent_process import JOIN, AgentProcess
from tests.support.nats_servers import PROGRAM as NATS
from tests.support.overlay import PORTS
from tests.support.server_process import SERVE, ServerProcess

MACHINES = {
    "one": "192.168.77.1",
    "two": "192.168.77.2",
    "a": "192.168.77.3",
    "b": "192.168.77.4",
    "stream": "192.168.77.9",
}
_NATS = """
server_name: n1
listen: "{host}:4222"
http: "{host}:8222"
jetstream {{ store_dir: "{store}", max_mem: 64M, max_file: 1G, sync_interval: always }}
"""


class TwoServers:
    """The lab with both servers, whose agents come and go; the secrets of one are copied to two."""

    def __init__(self, lab: Lab, home: Path) -> None:
        self.lab, self.home = lab, home
        self.agents: dict[str, AgentProcess] = {}
        settings = home / "nats.conf"
        settings.write_text(_NATS.format(host=MACHINES["stream"], store=home / "store"))
        with (home / "nats.log").open("wb") as log:
            command = lab.command("stream", NATS, "-c", settings)
            self._nats = subprocess.Popen(command, stdout=log, stderr=log)
        patiently(lambda: b"Server is ready" in (home / "nats.log").read_bytes(), "NATS")
        self.servers: dict[str, ServerProcess] = {}
        try:
            self.start("one")
            for name in ("secret.key", "pki"):
                source, copy = home / "one" / name, home / "two" / name
                copy.parent.mkdir(exist_ok=True, mode=0o700)
                (shutil.copytree if source.is_dir() else shutil.copy2)(source, copy)
            self.start("two")
        except BaseException:
            self.close()
            raise

    def start(self, name: str) -> ServerProcess:
        """Start a server with the data that is there."""
        stream = f"nats://{MACHINES['stream']}:4222/nc?monitor=8222"
        self.servers[name] = ServerProcess(
            self.home / name,
            *("--advertise", MACHINES[name], "--tun", "on", *PORTS),
            *("--cluster", stream, "--cluster-replicas", "1"),
            command=self.lab.command(name, *SERVE),
        )
        return self.servers[name]

    def join(self, name: str, *arguments: str) -> AgentProcess:
        """Start an agent on a machine."""
        self.agents[name] = AgentProcess(
            *arguments, "--state-dir", self.home / name, command=self.lab.command(name, *JOIN)
        )
        return self.agents[name]

    def close(self) -> None:
        """End every process."""
        for agent in self.agents.values():
            agent.close()
        for server in self.servers.values():
            server.close()
        self._nats.kill()
        self._nats.wait()
