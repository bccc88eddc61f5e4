"""How long do administrators wait while somebody abuses the gRPC ports?

Question: what is the p99 of an administrator's CheckConnState, a hundred times a second, and how
much memory does the server take, while strangers on the bootstrap port, or the certificate of a
node that was unregistered on the control port, do what no client does? `MiB` is the most that was
taken meanwhile, `kept` what is left of it `--settle` seconds later: within 35
the server gives back what it can.

Baseline: the same server in the same run, left alone, before each attack. The attackers are
processes of their own, on loopback; they prepare what they send before they begin. `busy` sends
nothing at all and only takes a core from the server, as an attacker on the same machine does.

    python benchmarks/hostile.py [--seconds 12] [--settle 35] [--only NAME …] [--json FILE]
"""

import argparse
import base64
import contextlib
import json
import re
import selectors
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc

sys.path.insert(0, str(Path(__file__).parent.parent))
from nc.pb import network_controller_pb2 as pb
from tests.fuzz.raw_http2 import (
    ACK,
    DATA,
    END_STREAM,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    call,
    frame,
    headers,
)
from tests.support.server_process import ServerProcess

CALLS = [sys.executable, str(Path(__file__).with_name("calls.py"))]
GUESS = b"/pb.LiteKubeNCBootstrapService/GetToken"
CHECK = b"/pb.LiteKubeNCService/CheckConnState"
WATCH = b"/grpc.health.v1.Health/Watch"
STREAMS = 100
HELLOS_A_SECOND = 4000
FRAME_HEADER_BYTES = 9


class Attack(NamedTuple):
    """What an attacker does.

    Attributes:
        connections: how many it has.
        port: `bootstrap`, without a certificate, or `control`, with an unregistered node's.
        calls: what is sent of a call on a stream.
        again: whether a call that has ended is followed by another.
    """

    connections: int
    port: str
    calls: Callable[[int], bytes]
    again: bool = False


def _reset(stream: int) -> bytes:
    return call(stream, GUESS) + frame(RST_STREAM, b"\0\0\0\x08", stream=stream)


def _watch(stream: int) -> bytes:
    return headers(stream, WATCH) + frame(DATA, bytes(5), END_STREAM, stream)


def _guess(stream: int) -> bytes:
    return call(stream, GUESS, b"\x0a\x10" + b"%016x" % stream)


ATTACKS = {
    "headers, stranger": Attack(90, "bootstrap", lambda stream: headers(stream, GUESS)),
    "headers, unregistered": Attack(90, "control", lambda stream: headers(stream, CHECK)),
    "headers again, stranger": Attack(90, "bootstrap", lambda s: headers(s, GUESS), again=True),
    "headers again, unregistered": Attack(90, "control", lambda s: headers(s, CHECK), again=True),
    "health watches": Attack(12, "bootstrap", _watch),
    "guesses": Attack(8, "bootstrap", _guess, again=True),
    "rapid reset": Attack(1, "bootstrap", _reset, again=True),
}
OTHERS = ("busy", "ClientHellos")


def main() -> None:
    """Run the comparison, or play one of its roles."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--settle", type=float, default=35.0)
    parser.add_argument("--only", nargs="*", choices=(*ATTACKS, *OTHERS))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--attack", metavar="JSON", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.attack:
        attack(**json.loads(arguments.attack))
    else:
        compare(arguments)


def compare(arguments: argparse.Namespace) -> None:
    """Measure each attack beside the same server left alone, and print the table."""
    rows: dict[str, dict[str, float]] = {}
    print(
        f"{'':<30}{'alone p99':>10}{'p99 ms':>8}{'ratio':>7}{'max ms':>8}{'MiB':>6}{'kept':>6}"
        f"{'calls/s':>10}"
    )
    with tempfile.TemporaryDirectory(prefix="nc-benchmark-") as folder:
        home = Path(folder)
        with ServerProcess(home / "data") as server:
            enrol_and_unregister(server, home)
            for name in arguments.only or (*OTHERS, *ATTACKS):
                rows[name] = row = measure(server, home, name, arguments)
                print(
                    f"{name:<30}{row['alone_p99_ms']:>10.1f}{row['p99_ms']:>8.1f}"
                    f"{row['ratio']:>7.1f}{row['max_ms']:>8.0f}{row['memory_mib']:>6.0f}{row['kept_mib']:>6.0f}"
                    f"{row['calls_a_second']:>10.0f}",
                    flush=True,
                )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


def measure(
    server: ServerProcess, home: Path, name: str, arguments: argparse.Namespace
) -> dict[str, float]:
    """Waits alone and beside the attack."""
    seconds = arguments.seconds
    alone = waits(server, seconds)
    before_mib = memory_mib(server, "VmRSS")
    Path(f"/proc/{server.pid}/clear_refs").write_text("5")  # the peak begins anew
    role = {
        "name": name,
        "port": getattr(
            server, f"{ATTACKS[name].port}_port" if name in ATTACKS else "control_port"
        ),
        "folder": str(home),
        "seconds": seconds + 0.5,
    }
    command = [sys.executable, __file__, "--attack", json.dumps(role)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as it:
        assert it.stdin
        assert it.stdout
        assert it.stdout.readline() == "ready\n"
        print("go", file=it.stdin, flush=True)
        during = waits(server, seconds)
        sent = int(it.stdout.readline())
    peak_mib = memory_mib(server, "VmHWM")
    time.sleep(arguments.settle)
    return {
        "alone_p99_ms": p99(alone),
        "p99_ms": p99(during),
        "ratio": p99(during) / p99(alone),
        "max_ms": max(during),
        "memory_mib": peak_mib - before_mib,
        "kept_mib": memory_mib(server, "VmRSS") - before_mib,
        "calls_a_second": sent / seconds,
    }


def memory_mib(server: ServerProcess, what: str) -> int:
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(re.findall(rf"{what}:\s+(\d+)", status)[0]) // 1024


def waits(server: ServerProcess, seconds: float) -> list[float]:
    """How long an administrator waits for CheckConnState, ms, a hundred times a second."""
    command = [*CALLS, str(server.data_dir), str(seconds), str(server.control_port)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return [float(line) for line in done.stdout.split()]


def p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


def enrol_and_unregister(server: ServerProcess, home: Path) -> None:
    """Leave the certificate of a node that was unregistered in the folder."""
    with grpc.secure_channel(server.control_target, server.credentials(admin=True)) as channel:

        def ask(method: str, request: Any, answer: Any) -> Any:
            rpc: Any = channel.unary_unary(f"/pb.LiteKubeNCService/{method}")
            return answer.FromString(rpc(request.SerializeToString()))

        issued = ask(
            "GetBootStrapToken", pb.GetBootStrapTokenRequest(), pb.GetBootStrapTokenResponse
        )
        request = pb.GetTokenRequest(bootStrapToken=issued.bootStrapToken)
        node = ask("GetToken", request, pb.GetTokenResponse)
        ask("UnRegister", pb.UnRegisterRequest(token=node.token), pb.UnRegisterResponse)
    for file, text in (("node.pem", node.GrpcClientCert), ("node-key.pem", node.GrpcClientKey)):
        (home / file).write_bytes(base64.b64decode(text))


def attack(name: str, port: int, folder: str, seconds: float) -> None:
    """Prepare, wait for the word, and go on for so long; prints how many calls were begun."""
    if name == "busy":
        started()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass
        print(0)
    elif name == "ClientHellos":
        print(hellos(port, seconds))
    else:
        print(flood(ATTACKS[name], port, Path(folder), seconds))


def started() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


def hellos(port: int, seconds: float) -> int:
    """Begin that many handshakes, and leave them."""
    outgoing = ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing).do_handshake()
    hello = outgoing.read()
    started()
    begun, opened = time.monotonic(), list[socket.socket]()
    sent = 0
    while (now := time.monotonic() - begun) < seconds:
        while sent < HELLOS_A_SECOND * now:
            sent += 1
            peer = socket.socket()
            peer.setblocking(False)
            peer.connect_ex(("127.0.0.1", port))
            with contextlib.suppress(OSError):
                peer.send(hello)
            opened.append(peer)
            if len(opened) > HELLOS_A_SECOND:
                opened.pop(0).close()
        time.sleep(0.01)
    return sent


class Connection:
    """One of the attacker's connections; `begin` sends as many calls as it may have."""

    def __init__(self, what: Attack, port: int, folder: Path) -> None:
        context = ssl.create_default_context(cafile=str(folder / "data/pki/grpc/ca.pem"))
        context.set_alpn_protocols(["h2"])
        if what.port == "control":
            context.load_cert_chain(folder / "node.pem", folder / "node-key.pem")
        raw = socket.create_connection(("127.0.0.1", port))
        self.socket = context.wrap_socket(raw, server_hostname="localhost")
        self._calls = what.calls
        self._next = 1
        self._received = b""
        self.begun = 0
        self.socket.sendall(PREFACE + frame(SETTINGS))
        self._prepared = b"".join(self._take() for _ in range(STREAMS))

    def begin(self) -> None:
        self.begun += STREAMS
        self.socket.sendall(self._prepared)

    def go_on(self, *, again: bool) -> None:
        """Read what has come, answer what has to be, and follow calls that have ended by others."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.socket.settimeout(0)
            try:
                if not (received := self.socket.recv(1 << 20)):
                    raise ConnectionResetError
                self._received += received
            finally:
                self.socket.settimeout(None)
        answer = b"".join(self._answers(again=again))
        if answer:
            self.socket.sendall(answer)

    def _answers(self, *, again: bool) -> Iterator[bytes]:
        while len(self._received) >= FRAME_HEADER_BYTES:
            end = FRAME_HEADER_BYTES + int.from_bytes(self._received[:3])
            if len(self._received) < end:
                return
            kind, flags, payload = self._received[3], self._received[4], self._received[9:end]
            self._received = self._received[end:]
            if kind in {SETTINGS, PING} and not flags & ACK:
                yield frame(kind, payload if kind == PING else b"", ACK)
            elif again and kind != DATA and flags & END_STREAM:
                self.begun += 1
                yield self._take()

    def _take(self) -> bytes:
        self._next += 2
        return self._calls(self._next - 2)


def flood(what: Attack, port: int, folder: Path, seconds: float) -> int:
    """Begin calls on all connections, and connect again when the server hangs up."""
    connections = [Connection(what, port, folder) for _ in range(what.connections)]
    waiting = selectors.DefaultSelector()
    for one in connections:
        waiting.register(one.socket, selectors.EVENT_READ, one)
    started()
    end = time.monotonic() + seconds
    for one in connections:
        one.begin()
    while time.monotonic() < end:
        for key, _ in waiting.select(0.1):
            one = key.data
            try:
                one.go_on(again=what.again)
                if what.calls is _reset:
                    one.begin()
            except OSError:
                waiting.unregister(key.fileobj)
                one.socket.close()
                if what.again:
                    connections.append(another := Connection(what, port, folder))
                    another.begin()
                    waiting.register(another.socket, selectors.EVENT_READ, another)
    return sum(one.begun for one in connections)


if __name__ == "__main__":
    main()
