"""Machines for tests: network namespaces on one bridge, made and removed by whoever asks."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.lab import Lab
from tests.support.rights import MAY_MAKE_NETWORKS

# Set where it must not happen that these tests are skipped.
REQUIRED = "NC_TESTS_REQUIRE_NAMESPACES"

TRANSFER = Path(__file__).with_name("tcp_transfer.py")


def require_namespaces() -> None:
    """Skip the test where no namespaces can be had, and say why."""
    missing = [name for name in ("ip", "ping", "unshare", "setpriv") if shutil.which(name) is None]
    if os.geteuid() != 0 or not MAY_MAKE_NETWORKS:
        missing.insert(0, "root with CAP_SYS_ADMIN and CAP_NET_ADMIN")
    if not Path("/dev/net/tun").exists():
        missing.append("/dev/net/tun")
    if missing:
        reason = f"network namespaces need {', '.join(missing)}"
        if REQUIRED in os.environ:
            pytest.fail(f"{reason}, and {REQUIRED} is set")
        pytest.skip(reason)


def pings(
    lab: Lab, where: str, address: str, count: int = 1, interval_s: float = 0.2, wait_s: float = 30
) -> int:
    """How many echoes come back; who does not answer is waited for so long."""
    options = ("-c", str(count), "-i", str(interval_s), "-W", str(wait_s))
    command = lab.command(where, "ping", "-n", "-q", *options, address)
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    (summary,) = (line for line in done.stdout.splitlines() if "packets transmitted" in line)
    return int(summary.split(", ")[1].split()[0])


def reaches(lab: Lab, where: str, address: str) -> bool:
    """Whether an echo comes back, of several if need be: any packet may be lost on its way."""
    return any(pings(lab, where, address, wait_s=wait_s) for wait_s in (1, 2, 4, 8, 16))


def transfer(lab: Lab, source: str, destination: str, address: str, mebibytes: int) -> bool:
    """Send so much from one machine to another over TCP; whether it arrived as it was sent."""
    script = (sys.executable, TRANSFER)
    receive = lab.command(destination, *script, "receive", address, str(mebibytes))
    send = lab.command(source, *script, "send", address, str(mebibytes))
    with subprocess.Popen(receive, stdout=subprocess.PIPE, text=True) as receiver:
        assert receiver.stdout is not None
        assert receiver.stdout.readline() == "ready\n"
        sent = subprocess.run(send, check=True, capture_output=True, text=True).stdout
        received = receiver.stdout.read()
    return len(sent) > 64 and sent == received
