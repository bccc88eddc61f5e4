"""A server that gets another address: nodes come back as themselves."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.agent_process import AgentProcess
from tests.support.joined_machines import invite, token_in
from tests.support.programs import run_program
from tests.support.server_process import ServerProcess

OLD, NEW, OTHER = "127.0.0.2", "127.0.0.3", "127.0.0.4"


@contextmanager
def at(data: Path, address: str, advertise: str, *more: str) -> Iterator[ServerProcess]:
    """A server that links come to at this address alone."""
    listen = ("--link-listen", address, "--bootstrap-listen", "0.0.0.0")  # noqa: S104 - loopback only
    with ServerProcess(data, *listen, "--advertise", advertise, *more) as server:
        yield server


def ports(server: ServerProcess) -> tuple[str, ...]:
    """The options that give the next server the same ports."""
    names = ("grpc", "bootstrap", "link")
    numbers = (server.control_port, server.bootstrap_port, server.link_port)
    return tuple(w for n, p in zip(names, numbers, strict=True) for w in (f"--{n}-port", str(p)))


def node(state: Path, *arguments: str) -> AgentProcess:
    """An agent without a device."""
    return AgentProcess(*arguments, "--state-dir", str(state), "--no-tun")


def ca_hash(server: ServerProcess) -> tuple[str, str]:
    """The option that pins the server's CA."""
    where = ("--data-dir", str(server.data_dir), "--port", str(server.control_port))
    words = ("--output", "json", "create-bootstrap-token")
    return "--ca-cert-hash", json.loads(run_program("ncadm", *where, *words).stdout)["caCertHash"]


def test_a_node_finds_an_address_that_it_was_told(tmp_path: Path) -> None:
    """Both addresses are advertised once; then the old one goes, and nobody touches the node."""
    data, state = tmp_path / "data", tmp_path / "node"
    with at(data, OLD, f"{OLD},{NEW}") as server:
        assert invite(server).split("@")[1].startswith(OLD)  # the first is for existing clients
        again = ports(server)
        agent = node(state, invite(server), *ca_hash(server))
        agent.wait_for("agent.connected")
    with agent, at(data, NEW, NEW, *again):
        second = agent.wait_for("agent.connected", 2)
        assert second["server"].startswith(NEW)
    kept = json.loads((state / "addresses.json").read_text())
    assert kept["addresses"].startswith(f"{NEW}:")
    assert OLD not in kept["addresses"]


@pytest.mark.parametrize("how", ["--server", "the same token"])
def test_an_operator_tells_a_node_where_its_server_is_now(tmp_path: Path, how: str) -> None:
    """A joined machine changes where it connects, stays the same node, and keeps it."""
    data, state = tmp_path / "data", tmp_path / "node"
    with at(data, OLD, OLD) as server:
        invitation, pin, again = invite(server), ca_hash(server), ports(server)
        with node(state, invitation, *pin) as agent:
            agent.wait_for("agent.connected")
        token = token_in(state)
    with at(data, OTHER, OTHER, *again) as server:
        moved = f"{invitation.split('@')[0]}@{OTHER}:{server.bootstrap_port}"
        words = ("--server", f"{OTHER}:{server.link_port}")
        with node(state, *(words if how == "--server" else (moved, *pin))) as agent:
            assert agent.wait_for("agent.connected")["server"].startswith(OTHER)
            assert not agent.logged("agent.joined")
        with node(state) as agent:  # without a word
            assert agent.wait_for("agent.connected")["server"].startswith(OTHER)
        assert token_in(state) == token
