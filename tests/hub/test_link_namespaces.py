"""A server and three nodes with TUN devices, each machine a network namespace: packets flow."""

import contextlib
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address

import pytest

from benchmarks.lab import Lab, patiently
from nc.errors import UNREGISTERED
from tests.support.namespaces import pings, reaches, require_namespaces, transfer
from tests.support.overlay import AS_A_SERVICE, MACHINES, NODES, SERVER, Overlay
from tests.support.programs import run_program


@pytest.fixture(scope="module")
def overlay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Overlay]:
    """Everybody connected; each test leaves it so."""
    require_namespaces()
    with Lab(MACHINES) as lab:
        overlay = Overlay(lab, tmp_path_factory.mktemp("overlay"))
        with contextlib.closing(overlay):
            arguments = overlay.invite()
            for name in NODES:
                overlay.join(name, *arguments, through=AS_A_SERVICE)
            for name in NODES:
                overlay.agents[name].wait_for("agent.connected")
            yield overlay
    shutil.rmtree(overlay.home)


def test_every_pair_reaches_each_other(overlay: Overlay) -> None:
    """Each of the three nodes and the server answers each other's ping, over the TUN devices."""
    assert sorted(overlay.address(name) for name in NODES) == ["10.1.1.3", "10.1.1.5", "10.1.1.7"]
    assert overlay.reach_each_other(NODES) == []
    for name in ("server", *NODES):
        local = SERVER if name == "server" else overlay.address(name)
        device = overlay.lab.run(name, "ip", "-o", "addr", "show", "dev", "nc0")
        assert f" inet {local} peer {IPv4Address(local) + 1}/32 " in device


def test_what_is_sent_arrives_as_it_was_sent(overlay: Overlay) -> None:
    """100 MiB over TCP from node to node, and to the server, hash for hash."""
    assert transfer(overlay.lab, "a", "b", overlay.address("b"), 100)
    assert transfer(overlay.lab, "b", "server", SERVER, 10)


def test_the_control_port_is_reached_through_the_overlay(overlay: Overlay) -> None:
    """A node asks after itself at the address that GetToken told it, with its own certificate."""
    (certificates,) = (overlay.home / "a").glob("certificates-*/grpc")
    files = [f"--{option}={certificates / name}" for option, name in (
        ("cacert", "ca.pem"), ("cert", "client.pem"), ("key", "client-key.pem"),
    )]  # fmt: skip
    asked = ("check-conn-state", "--node-token", overlay.token("a"))
    namespace = overlay.lab.namespace("a")
    done = run_program("ncadm", "--ip", SERVER, *files, *asked, namespace=namespace)
    assert done.stdout == f"state: CONNECTED\naddress: {overlay.address('a')}\n"


def test_an_unregistered_node_is_cut_off_and_nobody_else_notices(overlay: Overlay) -> None:
    """Its agent ends with exit code 5, its address is silent; the others lose no packet."""
    lab, gone = overlay.lab, overlay.address("c")
    with ThreadPoolExecutor(1) as pool:
        others = pool.submit(pings, lab, "a", overlay.address("b"), 150, 0.01)
        overlay.admin("unregister", "--node-token", overlay.token("c"))
        assert overlay.agents["c"].wait() == UNREGISTERED
        assert pings(lab, "a", gone, wait_s=1) == 0
        assert others.result() == 150
    assert "the node was unregistered" in overlay.agents["c"].said
    assert lab.run("c", "ip", "-o", "link").count("\n") == 2  # lo and eth0
    overlay.join("c", *overlay.invite()).wait_for("agent.connected")


def test_after_a_crash_of_the_server_everybody_is_back(overlay: Overlay) -> None:
    """Kill -9 and a new start: each agent comes back by itself, with the address it had."""
    before = {name: overlay.address(name) for name in NODES}
    counts = {name: len(overlay.agents[name].logged("agent.connected")) for name in NODES}
    overlay.server.kill()
    overlay.server.close()
    overlay.server = overlay.start_server()
    for name in NODES:
        overlay.agents[name].wait_for("agent.connected", counts[name] + 1)
    assert {name: overlay.address(name) for name in NODES} == before
    assert overlay.reach_each_other(NODES) == []


def test_a_node_whose_cable_is_cut_comes_back_from_elsewhere_at_once(overlay: Overlay) -> None:
    """Nobody has noticed that the link is dead: the new one takes its place, and its address."""
    lab, address = overlay.lab, overlay.address("c")
    lab.run("c", "ip", "link", "set", "eth0", "down")
    shutil.copytree(overlay.home / "c", overlay.home / "moved")
    moved = overlay.join("elsewhere", state="moved")
    assert moved.wait_for("agent.connected")["address"] == f"{address}/24"
    assert reaches(lab, "a", address)
    assert overlay.state("c") == (3, address)
    assert moved.stop() == 0
    assert overlay.agents["c"].stop() == 0  # there is nobody to say goodbye to
    lab.run("c", "ip", "link", "set", "eth0", "up")
    overlay.join("c").wait_for("agent.connected")


def test_a_stopped_agent_leaves_nothing_behind(overlay: Overlay) -> None:
    """SIGTERM: exit code 0, the node is IDLE, device, address and routes are gone."""
    lab = overlay.lab
    assert "10.1.1.0/24" in lab.run("b", "ip", "route")
    assert overlay.agents["b"].stop() == 0
    assert lab.run("b", "ip", "-o", "link").count("\n") == 2
    assert "10.1." not in lab.run("b", "ip", "route")
    assert overlay.state("b")[0] == -1
    overlay.join("b").wait_for("agent.connected")


def test_a_device_that_somebody_deletes_is_made_anew(overlay: Overlay) -> None:
    """The agent says so, and connects again with a new one."""
    agent = overlay.agents["b"]
    overlay.lab.run("b", "ip", "link", "del", agent.logged("agent.connected")[-1]["device"])
    agent.wait_for("agent.connected", len(agent.logged("agent.connected")) + 1)
    assert agent.logged("agent.device_lost")
    assert reaches(overlay.lab, "a", overlay.address("b"))


@pytest.mark.long
def test_another_network_gives_other_addresses(overlay: Overlay) -> None:
    """The server comes back with another network, and again with the old one: devices follow."""
    for network, server in (("10.2.0.0/16", "10.2.0.1"), ("10.1.1.1/24", SERVER)):
        counts = {name: len(overlay.agents[name].logged("agent.connected")) for name in NODES}
        assert overlay.server.stop() == 0
        overlay.server = overlay.start_server("--network-addr", network)
        for name in NODES:
            overlay.agents[name].wait_for("agent.connected", counts[name] + 1)
            prefix = server.rpartition(".")[0]
            assert overlay.address(name).startswith(f"{prefix}.")
            addresses = overlay.lab.run(name, "ip", "-o", "-4", "addr", "show", "scope", "global")
            assert addresses.count("\n") == 2  # eth0 and one device
            assert reaches(overlay.lab, name, server)


@pytest.mark.long
def test_a_node_whose_cable_is_cut_is_idle_after_a_minute(overlay: Overlay) -> None:
    """No FIN, no packet: 60 s of silence alone end the link."""
    lab = overlay.lab
    overlay.server.stderr.clear()
    lab.run("c", "ip", "link", "set", "eth0", "down")
    overlay.agents["c"].close()  # it cannot say goodbye any more
    assert overlay.state("c")[0] == 3
    end_s = time.monotonic() + 2 * 60
    while not (closed := overlay.server.logged("link.closed")):
        assert time.monotonic() < end_s
        time.sleep(0.2)
    assert [line["reason"] for line in closed] == ["link_silent"]
    assert overlay.state("c")[0] == -1
    lab.run("c", "ip", "link", "set", "eth0", "up")
    overlay.join("c").wait_for("agent.connected")
    patiently(lambda: overlay.reach_each_other(NODES) == [], "everybody is back")
