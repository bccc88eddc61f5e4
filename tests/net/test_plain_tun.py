"""Nodes with TUN devices on a server that speaks LiteKube's protocol and nothing better."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.lab import Lab
from tests.support import plain_link_server
from tests.support.agent_process import AgentProcess
from tests.support.forked_popen import ForkedPopen
from tests.support.namespaces import reaches, require_namespaces, transfer
from tests.support.node_certificates import network_folder, node_folder
from tests.support.server_process import PROGRAM

MACHINES = {"server": "192.168.77.1", "a": "192.168.77.2", "b": "192.168.77.3"}
SERVER = "192.0.2.1"  # behind a gateway, as servers are
PORT = 6441


TOKENS = {"a": "a" * 16, "b": "b" * 16}


class Field:
    """The lab, a server that speaks the protocol alone, and two nodes' configuration files."""

    def __init__(self, lab: Lab, home: Path) -> None:
        self.lab = lab
        self.home = home
        lab.run("server", "ip", "addr", "add", f"{SERVER}/32", "dev", "lo")
        folder = network_folder(home / "server", SERVER)
        program = (sys.executable, plain_link_server.__file__, str(PORT), str(home / "server"))
        self._server = ForkedPopen(lab.command("server", *program), stdout=subprocess.PIPE)
        assert self._server.stdout is not None
        assert self._server.stdout.readline() == b"ready\n"
        for name, redirect in (("a", "true"), ("b", "false")):
            lab.run(name, "ip", "route", "add", "default", "via", MACHINES["server"])
            node_folder(folder, home / name)
            (home / f"{name}.yml").write_text(
                f"mode: client\nclient:\n  serverAddr: {SERVER}\n  port: {PORT}\n"
                f"  token: {TOKENS[name]}\n  networkCertDir: {home / name}\n  mtu: 1380\n"
                f"  workDir: {home / name}-state\n  redirectGateway: {redirect}\n"
            )

    def start(self, name: str) -> AgentProcess:
        """Start what the machine's configuration file describes, up to its link."""
        command = self.lab.command(name, PROGRAM, "--config", str(self.home / f"{name}.yml"))
        agent = AgentProcess(command=command)
        agent.wait_for("agent.connected")
        return agent

    def routes(self, name: str) -> str:
        """A machine's routing table."""
        return self.lab.run(name, "ip", "route")

    def close(self) -> None:
        """End the server."""
        self._server.kill()
        self._server.communicate()


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    """One for all; nodes come and go."""
    require_namespaces()
    home = tmp_path_factory.mktemp("field")
    with Lab(MACHINES) as lab:
        field = Field(lab, home)
        try:
            yield field
        finally:
            field.close()
    shutil.rmtree(home)


def test_packets_flow_as_text_frames(field: Field) -> None:
    """Started from LiteKube's own configuration files, two nodes ping and send 5 MiB, intact."""
    with field.start("a") as a, field.start("b") as b:
        addresses = [n.logged("agent.connected")[0]["address"] for n in (a, b)]
        assert addresses == ["10.1.1.3/24", "10.1.1.5/24"]
        assert not a.logged("agent.connected")[0]["offload"]
        # One at a time: of several, ping waits for the last for two round trips only.
        assert all(reaches(field.lab, "a", "10.1.1.5") for _ in range(3))
        assert transfer(field.lab, "a", "b", "10.1.1.5", 5)
        assert " mtu 1380 " in field.lab.run("b", "ip", "-o", "link", "show", "dev", "nc0")
        assert a.stop() == b.stop() == 0
        assert not any(token in a.said + b.said for token in TOKENS.values())


def test_all_traffic_is_led_through_the_overlay_and_back_again(field: Field) -> None:
    """With redirectGateway everything but the link itself, until the end.

    After kill -9 what lay on the device is gone with it; the route that is left was written down,
    and the next start takes it back.
    """
    before = field.routes("a")
    with field.start("a") as agent:
        assert " dev nc0 " in field.lab.run("a", "ip", "route", "get", "198.51.100.1")
        assert " dev eth0 " in field.lab.run("a", "ip", "route", "get", SERVER)
        agent.kill()
    left = set(field.routes("a").splitlines()) - set(before.splitlines())
    assert [line.split()[0] for line in left] == [SERVER]
    file = field.home / "a.yml"
    redirecting = file.read_text()
    file.write_text(redirecting.replace("redirectGateway: true", "redirectGateway: false"))
    with field.start("a"):
        assert SERVER not in field.routes("a")
    file.write_text(redirecting)
    with field.start("a") as agent:
        assert SERVER in field.routes("a")
        assert agent.stop() == 0
    assert field.routes("a") == before
    assert not (field.home / "a-state" / "redirect.json").exists()


def test_ipv6_does_not_leave_beside_the_overlay(field: Field) -> None:
    """While all traffic goes through the overlay there is no way out for IPv6, but on the LAN.

    After kill -9 the next start takes the refusal back.
    """
    lab = field.lab
    lab.run("a", "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=0")
    lab.run("a", "ip", "addr", "add", "2001:db8::2/64", "dev", "eth0", "nodad")
    lab.run("a", "ip", "-6", "route", "add", "default", "via", "2001:db8::1")

    def way(address: str) -> str:
        command = lab.command("a", "ip", "-6", "route", "get", address)
        return subprocess.run(command, check=False, capture_output=True, text=True).stdout

    assert " dev eth0 " in way("2600::1")
    with field.start("a") as agent:
        assert " dev eth0 " not in way("2600::1")
        assert " dev eth0 " not in way("c000::1")
        assert " dev eth0 " in way("2001:db8::7")
        lab.run("a", "ip", "-6", "route", "flush", "proto", "110")
        assert "::/1" in agent.wait_for("agent.network_restored")["message"]
        assert " dev eth0 " not in way("2600::1")
        agent.kill()
    with field.start("a") as agent:
        assert agent.stop() == 0
    assert " dev eth0 " in way("2600::1")
