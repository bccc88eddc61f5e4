"""What does the overlay carry, beside OpenVPN and the bare network?

Question: between three machines (network namespaces on one bridge), how fast is one TCP stream
from a node to the server and from node to node, how many UDP packets of 64 and of 1,400 bytes get
there a second, how long is a round trip, and how long does a client wait for CheckConnState
meanwhile? With the bare network, OpenVPN (TCP, AES-256-GCM, client-to-client) and our TUNs, in
turns.

Needs root, and iperf3, ping and openvpn (Debian's packages of these names; ping is iputils-ping).

    sudo .venv/bin/python benchmarks/traffic.py [--rounds 3] [--seconds 3] [--only NAME]
"""

import argparse
import contextlib
import json
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks.lab import ADDRESSES, Lab, patiently

BIN = Path(sys.executable).parent
CALLS = [sys.executable, str(Path(__file__).with_name("calls.py"))]
PACKETS = [sys.executable, str(Path(__file__).with_name("packets.py"))]


class Overlay(NamedTuple):
    addresses: dict[str, str]  # of server, a and b
    data_dir: Path | None = None  # of our server, if it is ours


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--only", choices=OVERLAYS)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found: dict[str, dict[str, list[float]]] = {}
    for _ in range(arguments.rounds):
        for name in [arguments.only] if arguments.only else OVERLAYS:
            figures = found.setdefault(name, defaultdict(list))
            with (
                tempfile.TemporaryDirectory(prefix="bench-") as home,
                Lab() as lab,
                OVERLAYS[name](lab, Path(home)) as overlay,
            ):
                for what, value in measure(lab, overlay, arguments.seconds):
                    figures[what].append(value)
    results = {
        name: {what: statistics.median(values) for what, values in figures.items()}
        for name, figures in found.items()
    }
    report(results)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


@contextlib.contextmanager
def bare(_lab: Lab, _home: Path) -> Iterator[Overlay]:
    yield Overlay(ADDRESSES)


@contextlib.contextmanager
def openvpn(lab: Lab, home: Path) -> Iterator[Overlay]:
    """OpenVPN over TCP; a node gets the address that its certificate's name stands for."""
    _make_certificates(home)
    (home / "ccd").mkdir()
    addresses = {"server": "10.99.0.1", "a": "10.99.0.2", "b": "10.99.0.3"}
    for name in ("a", "b"):
        (home / "ccd" / name).write_text(f"ifconfig-push {addresses[name]} 255.255.255.0\n")
    common: list[str | Path] = ["--dev", "tun", "--ca", home / "ca.pem", "--auth-nocache"]
    both = [*common, "--data-ciphers", "AES-256-GCM", "--tun-mtu", "1400"]

    def own(name: str) -> list[str | Path]:
        return ["--cert", home / f"{name}.pem", "--key", home / f"{name}-key.pem"]

    with contextlib.ExitStack() as up:
        serve: list[str | Path] = ["openvpn", "--mode", "server", "--tls-server", "--dh", "none",
                 "--proto", "tcp-server", "--topology", "subnet", "--client-to-client",
                 "--server", "10.99.0.0", "255.255.255.0", "--client-config-dir", home / "ccd",
                 *both, *own("server")]  # fmt: skip
        up.enter_context(lab.running("server", *serve, log=home / "server.log"))
        for name in ("a", "b"):
            join: list[str | Path] = ["openvpn", "--client", "--proto", "tcp-client", "--nobind",
                    "--remote", ADDRESSES["server"], "1194", "--connect-retry", "1",
                    *both, *own(name)]  # fmt: skip
            up.enter_context(lab.running(name, *join, log=home / f"{name}.log"))
        yield Overlay(addresses)


@contextlib.contextmanager
def ours(lab: Lab, home: Path) -> Iterator[Overlay]:
    """Our server and two of our nodes."""
    data_dir = home / "data"
    with contextlib.ExitStack() as up:
        serve: list[str | Path] = [BIN / "network-controller", "serve", "--data-dir", data_dir,
                 "--advertise", ADDRESSES["server"], "--tun", "on"]  # fmt: skip
        up.enter_context(lab.running("server", *serve, log=home / "server.log"))
        patiently(lambda: "server.started" in (home / "server.log").read_text(), "server")
        create: list[str | Path] = [BIN / "ncadm", "--data-dir", data_dir, "--output", "json"]
        made = json.loads(lab.run("server", *create, "create-bootstrap-token", "--life", "10"))
        addresses = {"server": "10.1.1.1"}
        for name in ("a", "b"):
            words = shlex.split(made["joinCommand"])[1:]
            command: list[str | Path] = [BIN / "network-controller", *words]
            up.enter_context(
                lab.running(name, *command, "--state-dir", home / name, log=home / f"{name}.log")
            )
            patiently(lambda name=name: bool(_tun_address(lab, name)), name)  # type: ignore[misc]
            addresses[name] = _tun_address(lab, name)
        yield Overlay(addresses, data_dir)


OVERLAYS: dict[str, Callable[[Lab, Path], AbstractContextManager[Overlay]]] = {
    "bare": bare,
    "openvpn": openvpn,
    "ours": ours,
}


def _tun_address(lab: Lab, where: str) -> str:
    """The overlay address of a node, "" as long as it has none."""
    found = re.search(r"inet (10\.1\.1\.\d+)", lab.run(where, "ip", "-4", "addr"))
    return found[1] if found else ""


def _make_certificates(home: Path) -> None:
    """A CA, and a certificate each for the server and the two nodes, by openssl."""
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    for name in ("ca", "server", "a", "b"):
        signer: list[str | Path] = []
        if name != "ca":
            signer = ["-CA", home / "ca.pem", "-CAkey", home / "ca-key.pem"]
        subprocess.run(
            ["openssl", "req", "-x509", *curve, *signer, "-subj", f"/CN={name}",
             "-keyout", home / f"{name}-key.pem", "-out", home / f"{name}.pem"],
            check=True, capture_output=True,
        )  # fmt: skip


def measure(lab: Lab, overlay: Overlay, seconds: float) -> Iterator[tuple[str, float]]:
    """Every figure of one overlay, by name."""
    addresses = overlay.addresses
    for name in ("server", "b"):
        patiently(lambda name=name: _answers(lab, addresses[name]), name)  # type: ignore[misc]
    for name, place in (("server", "server"), ("node", "b")):
        count = str(max(10, int(100 * seconds)))
        times = lab.run("a", "ping", "-q", "-c", count, "-i", "0.005", addresses[place])
        yield f"round trip to {name}, ms", _average_ms(times)
    with _calls(lab, overlay, seconds) as waits_ms:
        time.sleep(seconds)
    if waits_ms:
        yield "CheckConnState without traffic, p99 ms", _p99(waits_ms)
    for name, place in (("server", "server"), ("node", "b")):
        with lab.running(place, "iperf3", "-s", "-B", addresses[place]):
            patiently(lambda place=place: _listens(lab, place), "iperf3")  # type: ignore[misc]
            # It takes whole seconds, and 0 is no end.
            amount = ["-t", str(round(seconds))] if seconds >= 1 else ["-n", "1M"]
            client = ["iperf3", "-J", "-c", addresses[place], *amount]
            with _calls(lab, overlay, seconds) as waits_ms:
                sent = json.loads(lab.run("a", *client))["end"]["sum_received"]
            if waits_ms:
                yield f"CheckConnState during TCP to {name}, p99 ms", _p99(waits_ms)
            yield f"TCP to {name}, Mbit/s", sent["bits_per_second"] / 1e6
        for size_bytes in (64, 1400):
            with _calls(lab, overlay, seconds) as waits_ms:
                rate = _flood(lab, place, addresses[place], seconds, size_bytes)
            if waits_ms:
                yield f"CheckConnState during UDP {size_bytes} B to {name}, p99 ms", _p99(waits_ms)
            yield f"UDP {size_bytes} B to {name}, packets/s", rate


@contextlib.contextmanager
def _calls(lab: Lab, overlay: Overlay, seconds: float) -> Iterator[list[float]]:
    """Call our server meanwhile; the list holds how long each call took, ms, once it is over."""
    waits_ms: list[float] = []
    if overlay.data_dir is None:
        yield waits_ms
        return
    command = lab.command("server", *CALLS, overlay.data_dir, str(seconds))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as caller:
        yield waits_ms
        assert caller.stdout is not None
        waits_ms += map(float, caller.stdout)


def _p99(waits_ms: list[float]) -> float:
    return statistics.quantiles(waits_ms, n=100)[98]


def _flood(lab: Lab, place: str, address: str, seconds: float, size_bytes: int) -> float:
    """How many packets a second arrive of those that `a` sends as fast as it can."""
    receive = lab.command(place, *PACKETS, "count", address)
    with subprocess.Popen(receive, stdout=subprocess.PIPE, text=True) as receiver:
        assert receiver.stdout is not None
        receiver.stdout.readline()  # it is ready
        lab.run("a", *PACKETS, "send", address, str(seconds), str(size_bytes))
        return float(receiver.stdout.readline())


def _average_ms(printed: str) -> float:
    found = re.search(r"= [\d.]+/([\d.]+)/", printed)
    assert found, printed
    return float(found[1])


def _answers(lab: Lab, address: str) -> bool:
    ping = lab.command("a", "ping", "-q", "-c", "1", "-W", "1", address)
    silent = subprocess.DEVNULL
    return subprocess.run(ping, check=False, stdout=silent, stderr=silent).returncode == 0


def _listens(lab: Lab, where: str) -> bool:
    return ":5201" in lab.run(where, "ss", "-ltn")


def report(results: dict[str, dict[str, float]]) -> None:
    """Print the table; each figure, and its ratio to OpenVPN's."""
    base = results.get("openvpn", {})
    print(f"{'':<49}" + "".join(f"{name:>20}" for name in results))
    for what in max(results.values(), key=len):  # ours is called meanwhile, the others are not
        cells = []
        for figures in results.values():
            ratio = (
                f" ({figures[what] / base[what]:.2f})" if what in figures and what in base else ""
            )
            cells.append(f"{figures[what]:>12,.2f}{ratio:<8}" if what in figures else f"{'':<20}")
        print(f"{what:<49}" + "".join(cells))


if __name__ == "__main__":
    main()
