"""The commands of the tutorial do what it says."""

import re
import shlex
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from nc.domain.names import label_of
from tests.support.agent_process import AgentProcess
from tests.support.programs import run_here
from tests.support.server_process import ServerProcess

TEXT = (Path(__file__).parent.parent / "docs" / "tutorial" / "first-network.md").read_text("utf-8")
ELSEWHERE = ("network-controller serve", "network-controller log replay")  # they do not end


def steps() -> list[tuple[str, list[str]]]:
    """Each command that ends, with the lines that the page shows under it."""
    consoles = re.findall(r"^```console\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    shown = [part.splitlines() for text in consoles for part in re.split(r"(?m)^\$ ", text)]
    return [(part[0], part[1:]) for part in shown if part and not part[0].startswith(ELSEWHERE)]


def shape(line: str) -> str:
    """A line without what differs from one run to the next: random ids, times, sizes, spaces.

    The machine of the page is called `laptop`.
    """
    line = re.sub(rf"\b{label_of(socket.gethostname())}\b", "laptop", line)
    line = re.sub(r"\d{4}-\d\d-\d\d[ T][\d:.]+Z?|\b[0-9a-f]{8,}\b|127.0.0.1:\d+", "…", line)
    return re.sub(
        r"\s+", " ", re.sub(r"\b\d[\d,]*(?= (?:bytes|events))| to \d+$|^ +\d+|event \d+", "…", line)
    )


def run(command: str, port: int) -> str:
    """What a command prints, run as the administrator of the server at a port."""
    program, *arguments = shlex.split(command.partition(" | ")[0])
    if program == "ncadm":
        arguments += ["--yes"] if "unregister" in arguments else []
        arguments = ["--port", str(port), *arguments]
    done = run_here(program, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_tutorial_runs_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command succeeds, in order, and prints every line that the page shows under it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NC_DATA_DIR", str(tmp_path / "data"))
    with ServerProcess(tmp_path / "data") as server, ExitStack() as agents:
        nodes: list[AgentProcess] = []
        for command, shown in steps():
            if command == "ncadm nodes list --state idle":
                nodes[1].stop()
                server.wait_for("link.closed")
            printed = run(command, server.control_port)
            got = {shape(line) for line in printed.splitlines()}
            asked = (line for line in shown if line != "…" and not line.endswith("[y/N]: y"))
            for line in asked:
                # a shorter name of the machine leaves room for a column more
                is_there = any(each.startswith(shape(line)) for each in got)
                assert is_there, f"{command} does not print: {line}\n{printed}"
            if command.startswith("ncadm tokens issue"):
                join = shlex.split(printed.partition("join: ")[2])[1:]
                for number in range(3):
                    agent = AgentProcess(*join[1:], "--no-tun", "--state-dir", f"node-{number}")
                    nodes.append(agents.enter_context(agent))
                    agent.wait_for("agent.connected")
