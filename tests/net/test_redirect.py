"""All traffic through the overlay, on a machine whose server is reached by IPv6."""

import sys
from pathlib import Path

import pytest

from benchmarks.lab import Lab
from tests.support.namespaces import require_namespaces

REDIRECT = """
import subprocess, sys
from ipaddress import ip_address
from pathlib import Path
from nc.net.redirect import Redirect
from nc.net.tun import Tun

tun = Tun(offload=False)
subprocess.run(["ip", "link", "set", tun.name, "up"], check=True)
redirect = Redirect(Path(sys.argv[1]))
redirect.begin(tun.name, ip_address(sys.argv[2]))
for address in sys.argv[2:]:
    subprocess.run(["ip", "route", "get", address], check=False, stderr=subprocess.STDOUT)
assert redirect.restore() == []
subprocess.run(["ip", "-6", "route", "flush", "proto", "110"], check=True)
assert len(redirect.restore()) == 3
redirect.end()
subprocess.run(["ip", "route", "get", sys.argv[3]], check=True)
tun.close()
"""


@pytest.mark.parametrize("server", ["2001:db8::9", "2600::9"])
def test_the_link_takes_its_own_way_by_ipv6(server: str, tmp_path: Path) -> None:
    """To a server on the LAN or behind the gateway; all other IPv6 is refused, IPv4 redirected."""
    require_namespaces()
    with Lab({"a": "192.168.77.2"}) as lab:
        lab.run("a", "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=0")
        lab.run("a", "ip", "addr", "add", "2001:db8::2/64", "dev", "eth0", "nodad")
        lab.run("a", "ip", "-6", "route", "add", "default", "via", "2001:db8::1")
        before = lab.run("a", "ip", "-6", "route"), lab.run("a", "ip", "route")
        record = tmp_path / "redirect.json"
        addresses = (server, "2600::8", "198.51.100.1")
        said = lab.run("a", sys.executable, "-c", REDIRECT, record, *addresses).splitlines()
        ways = [line for line in said if " from " in line or " dev " in line or "RTNETLINK" in line]
        assert " dev eth0 " in ways[0]
        assert " dev eth0 " not in ways[1]
        assert " dev nc0 " in ways[2]
        assert " dev eth0 " in ways[3]
        assert (lab.run("a", "ip", "-6", "route"), lab.run("a", "ip", "route")) == before
        assert not record.exists()
