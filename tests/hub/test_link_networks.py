"""The overlay beside a machine's own network: conflicts, programs that interfere, destinations."""

import contextlib
import json
import shutil
from collections.abc import Iterator

import pytest

from benchmarks.lab import Lab, patiently
from tests.support.namespaces import pings, reaches, require_namespaces
from tests.support.overlay import MACHINES, SERVER, Overlay
from tests.support.programs import run_program

NAME = "nc.example.com"
SERVICE = "192.168.88.1"  # an address of the server's machine that is not its overlay address


@pytest.fixture(scope="module")
def overlay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Overlay]:
    """A server and the node "a", connected; each test leaves it so. On "elsewhere" is no agent."""
    require_namespaces()
    with Lab(MACHINES) as lab:
        lab.run("server", "ip", "addr", "add", f"{SERVICE}/32", "dev", "lo")
        overlay = Overlay(lab, tmp_path_factory.mktemp("overlay"))
        with contextlib.closing(overlay):
            overlay.join("a", *overlay.invite()).wait_for("agent.connected")
            yield overlay
    shutil.rmtree(overlay.home)


@contextlib.contextmanager
def lan(lab: Lab, address: str, metric: int = 0) -> Iterator[None]:
    """Another network on the bridge: this address for "a", and 10.1.1.60 for "elsewhere"."""
    length = address.partition("/")[2]
    network = "10.1.1.0/24" if length == "24" else "10.1.0.0/16"
    lab.run("elsewhere", "ip", "addr", "add", f"10.1.1.60/{length}", "dev", "eth0")
    if metric:
        lab.run("a", "ip", "addr", "add", address, "dev", "eth0", "noprefixroute")
        where = ("dev", "eth0", "src", address.partition("/")[0], "metric", str(metric))
        lab.run("a", "ip", "route", "add", network, *where)
    else:
        lab.run("a", "ip", "addr", "add", address, "dev", "eth0")
    try:
        yield
    finally:
        lab.run("elsewhere", "ip", "addr", "del", f"10.1.1.60/{length}", "dev", "eth0")
        lab.run("a", "ip", "addr", "del", address, "dev", "eth0")
        if metric:  # the kernel removes it with the address, or it is still there
            left = lab.run("a", "ip", "route", "show", network)
            if "eth0" in left:
                lab.run("a", "ip", "route", "del", network, "dev", "eth0")


@pytest.mark.parametrize(
    ("address", "metric"), [("10.1.1.50/24", 0), ("10.1.1.50/24", 100), ("10.1.7.50/16", 0)]
)
def test_an_overlay_that_hides_the_lan_is_refused(
    overlay: Overlay, address: str, metric: int
) -> None:
    """The LAN stays reachable, and the message names what to do; over when the LAN is gone.

    The same agent would connect, too, once it has waited (`tests/agent/test_agent.py`).
    """
    with lan(overlay.lab, address, metric):
        agent = overlay.join("a")
        said = agent.wait_for("agent.disconnected")
        assert said["reason"] == "NetworkRefused"
        for word in ("eth0", address, "--network-addr", "--no-route", "--route-metric"):
            assert word in said["message"]
        assert reaches(overlay.lab, "a", "10.1.1.60")
        assert overlay.lab.run("a", "ip", "-o", "link").count("\n") == 2  # lo and eth0
    overlay.join("a").wait_for("agent.connected")


@pytest.mark.parametrize("choice", [("--no-route",), ("--route-metric", "500")])
def test_the_operator_may_choose_that_both_live_side_by_side(
    overlay: Overlay, choice: tuple[str, ...]
) -> None:
    """The link is up, and the LAN is reached as before."""
    with lan(overlay.lab, "10.1.1.50/24", 100):
        overlay.join("a", *choice).wait_for("agent.connected")
        assert reaches(overlay.lab, "a", "10.1.1.60")
        routes = overlay.lab.run("a", "ip", "route", "show", "dev", "nc0")
        assert routes.strip() == (
            "" if choice == ("--no-route",)
            else f"10.1.1.0/24 proto 110 scope link src {overlay.address('a')} metric 500"
        )  # fmt: skip
    overlay.join("a").wait_for("agent.connected")


def test_a_lan_that_appears_later_ends_the_link(overlay: Overlay) -> None:
    """A machine that moves into a network equal to the overlay keeps that network."""
    agent = overlay.agents["a"]
    with lan(overlay.lab, "10.1.1.50/24", 100):
        said = agent.wait_for("agent.disconnected")
        assert "overlaps the network of eth0" in said["message"]
        patiently(lambda: "nc0" not in overlay.lab.run("a", "ip", "-o", "link"), "no device")
        assert reaches(overlay.lab, "a", "10.1.1.60")
    overlay.join("a").wait_for("agent.connected")


@pytest.mark.parametrize(
    "command",
    [
        ("ip", "route", "flush", "proto", "110"),
        ("ip", "addr", "flush", "dev", "nc0"),
        ("ip", "link", "set", "nc0", "down"),
        ("ip", "link", "set", "nc0", "mtu", "9000"),
    ],
)
def test_what_another_program_removes_is_restored(
    overlay: Overlay, command: tuple[str, ...]
) -> None:
    """On a node and on the server; the log says what it was, and the link stays."""
    overlay.server.stop()  # one that has restored something waits before it does so again
    overlay.server = overlay.start_server()
    lab, agent = overlay.lab, overlay.join("a")
    agent.wait_for("agent.connected")
    lab.run("a", *command)
    assert "another program removed " in agent.wait_for("agent.network_restored")["message"]
    assert reaches(lab, "a", SERVER)
    assert " mtu 1400 " in lab.run("a", "ip", "-o", "link", "show", "dev", "nc0")
    lab.run("server", *command)
    overlay.server.wait_for("tun.restored")
    assert reaches(lab, "a", SERVER)
    assert len(agent.logged("agent.connected")) == 1


def test_the_servers_device_is_made_anew(overlay: Overlay) -> None:
    """When another program deletes it: nodes reach the server again, over the same links."""
    opened = len(overlay.server.logged("tun.opened"))
    overlay.lab.run("server", "ip", "link", "del", "nc0")
    patiently(lambda: len(overlay.server.logged("tun.opened")) > opened, "a new device")
    assert overlay.server.logged("tun.lost")
    assert reaches(overlay.lab, "a", SERVER)


def drops(overlay: Overlay) -> dict[str, int]:
    """The server's counters of dropped packets."""
    folder = str(overlay.home / "data")
    done = run_program("network-controller", "links", "--data-dir", folder, "--output", "json")
    counters: dict[str, int] = json.loads(done.stdout)["drops"]
    return counters


def test_nodes_reach_nothing_but_the_overlay_unless_it_is_allowed(overlay: Overlay) -> None:
    """Neither the server's other addresses nor, with ip_forward=1, its LAN; then what is named."""
    lab = overlay.lab
    lab.run("server", "sysctl", "-qw", "net.ipv4.ip_forward=1")
    agent = overlay.agents["a"]
    beyond = (SERVICE, MACHINES["elsewhere"])

    def led_through_the_server() -> None:
        for address in beyond:
            lab.run("a", "ip", "route", "replace", address, "dev", "nc0")
        lab.run("elsewhere", "ip", "route", "replace", "10.1.1.0/24", "via", MACHINES["server"])

    led_through_the_server()
    assert [pings(lab, "a", address, wait_s=0.2) for address in beyond] == [0, 0]
    patiently(lambda: drops(overlay).get("not_allowed", 0) >= 2, "both were dropped")
    allowed = ("--allow-destination", f"{SERVICE}/32", "--allow-destination", "192.168.77.4/31")
    for arguments in (allowed, ("--allow-destination", "0.0.0.0/0")):
        count = len(agent.logged("agent.connected"))
        assert overlay.server.stop() == 0
        overlay.server = overlay.start_server(*arguments)
        agent.wait_for("agent.connected", count + 1)
        led_through_the_server()
        assert all(reaches(lab, "a", address) for address in beyond)


def test_multicast_and_broadcast_go_nowhere(overlay: Overlay) -> None:
    """They are counted, whatever is allowed."""
    lab = overlay.lab
    lab.run("a", "ip", "route", "add", "224.0.0.0/4", "dev", "nc0")
    before = drops(overlay).get("not_unicast", 0)
    assert pings(lab, "a", "224.0.0.1", wait_s=0.2) == 0
    patiently(lambda: drops(overlay).get("not_unicast", 0) > before, "it was dropped")
    lab.run("a", "ip", "route", "del", "224.0.0.0/4", "dev", "nc0")


def test_a_server_on_a_lan_that_is_the_overlay_keeps_its_lan(overlay: Overlay) -> None:
    """`--tun on` is refused, and names the choice; no address of the LAN is advertised either."""
    lab = overlay.lab
    lab.run("elsewhere", "ip", "addr", "add", "10.1.1.60/24", "dev", "eth0")
    serve = ("network-controller", "serve", "--data-dir", str(overlay.home / "other"))
    for arguments, says in (
        (("--advertise", MACHINES["elsewhere"], "--tun", "on"), "overlaps the network of eth0"),
        (("--advertise", "10.1.1.60"), "10.1.1.60 is in the overlay"),
    ):
        ended = run_program(*serve, *arguments, namespace=lab.namespace("elsewhere"))
        assert ended.returncode != 0
        assert says in ended.stderr
        assert "--network-addr" in ended.stderr
    lab.run("elsewhere", "ip", "addr", "del", "10.1.1.60/24", "dev", "eth0")


def test_an_address_that_swallows_packets_hides_no_other(overlay: Overlay) -> None:
    """A name with an IPv6 address that is a black hole: a node joins and is linked by IPv4."""
    lab, hosts = overlay.lab, overlay.home / "hosts"
    for name, address in (("server", "2001:db8::1"), ("b", "2001:db8::2")):
        lab.run(name, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=0")
        lab.run(name, "ip", "addr", "add", f"{address}/64", "dev", "eth0", "nodad")
    lab.run("server", "ip", "-6", "route", "add", "blackhole", "2001:db8::2/128")
    hosts.write_text(f"2001:db8::1 {NAME}\n{MACHINES['server']} {NAME}\n")
    overlay.server.stop()
    overlay.server = overlay.start_server("--advertise", NAME)
    arguments = overlay.invite()
    assert NAME in arguments[0]
    script = f'mount --bind {hosts} /etc/hosts && exec "$@"'
    command = ("unshare", "-m", "sh", "-c", script, "sh")
    assert overlay.join("b", *arguments, through=command).wait_for("agent.connected")
    peer = lab.run("b", "ss", "-Htn", "dport", "=", "6441")
    assert MACHINES["server"] in peer
