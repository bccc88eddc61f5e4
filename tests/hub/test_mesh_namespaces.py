"""Two servers with TUN devices and a node at each: packets flow between them, and a node moves."""

import contextlib
import json
import shutil
from functools import partial
from pathlib import Path

import pytest

from benchmarks.lab import Lab, patiently
from tests.support.agent_process import AgentProcess
from tests.support.namespaces import pings, reaches, require_namespaces, transfer
from tests.support.programs import BIN
from tests.support.two_servers import MACHINES, TwoServers


def address_of(agent: AgentProcess) -> str:
    return str(agent.logged("agent.connected")[-1]["address"].partition("/")[0])


def all_return(lab: Lab, source: str, address: str) -> bool:
    return pings(lab, source, address, 50, 0.01) == 50


@pytest.mark.long
def test_nodes_of_two_servers_reach_each_other_and_a_node_moves(tmp_path: Path) -> None:
    """Each node is at the server that it joined at, and reaches the other one's node.

    Each server reaches the node of the other, from its own address. When one server is killed, its
    node is at the other with the address that it had.
    """
    require_namespaces()
    with Lab(MACHINES) as lab, contextlib.closing(TwoServers(lab, tmp_path)) as here:
        ncadm = (BIN / "ncadm", "--data-dir", tmp_path / "one", "--output", "json")
        made = json.loads(lab.run("one", *ncadm, "create-bootstrap-token"))
        token, words = made["joinToken"].partition("@")[0], made["joinCommand"].split()
        for name, server in (("a", "one"), ("b", "two")):
            invitation = f"{token}@{MACHINES[server]}:6439"
            agent = here.join(name, invitation, *words[words.index("--ca-cert-hash") :])
            connected = agent.wait_for("agent.connected")
            assert connected["server"] == f"{MACHINES[server]}:6441"
        a, b = (address_of(here.agents[name]) for name in ("a", "b"))
        patiently(lambda: pings(lab, "a", b, wait_s=1) == 1, "both hubs know both nodes")
        for source, address in (("a", b), ("b", a)):  # again if a program had to wait for its turn
            patiently(partial(all_return, lab, source, address), "a burst arrives whole")
        assert transfer(lab, "a", "b", b, 20)
        for name, address in (("one", b), ("two", a)):
            here.servers[name].wait_for("tun.own_address")
            assert reaches(lab, name, address)
            assert reaches(lab, "a" if name == "one" else "b", "10.1.1.1")
        own = here.servers["two"].logged("tun.own_address")[-1]["address"]
        assert reaches(lab, "a", own)
        here.servers["two"].kill()
        moved = here.agents["b"].wait_for("agent.connected", 2)
        assert moved["server"] == f"{MACHINES['one']}:6441"
        assert address_of(here.agents["b"]) == b
        patiently(lambda: pings(lab, "a", b, wait_s=1) == 1, "the node is at the other server")
    shutil.rmtree(tmp_path)
