"""How our programs find out where a name leads."""

import subprocess
from pathlib import Path

from tests.support.namespaces import require_namespaces
from tests.support.programs import BIN

# A machine whose DNS server does not answer: what it is sent goes nowhere.
_LONELY = """
ip link set lo up
ip link add nowhere type veth peer name nobody
ip address add 192.0.2.9/24 dev nowhere
ip link set nobody up
ip link set nowhere up
ip neighbour add 192.0.2.1 lladdr 02:00:00:00:00:01 dev nowhere
ip route add default via 192.0.2.1
mount --bind "$1" /etc/hosts
mount --bind "$2" /etc/resolv.conf
exec "$3" --ip server.example --port 9 --plaintext check-health
"""


def test_a_name_in_the_hosts_file_needs_no_dns_server(tmp_path: Path) -> None:
    """It is looked up as everything on the machine is: the port, which is closed, is tried."""
    require_namespaces()
    hosts, resolver = tmp_path / "hosts", tmp_path / "resolv.conf"
    hosts.write_text("127.0.0.1 server.example\n")
    resolver.write_text("nameserver 198.51.100.1\n")
    arguments = ("sh", "-ec", _LONELY, "sh", hosts, resolver, BIN / "ncadm")
    command = ["unshare", "--net", "--mount", *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 4  # no connection
    assert "UNAVAILABLE" in done.stderr
    assert "Connection refused" in done.stderr
