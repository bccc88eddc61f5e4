"""The attackers of `hostile.py`, each a process: it prepares, waits for the word, and goes on.

python benchmarks/attacks.py JSON     JSON: its name, a port, the folder of a node, and seconds

It prints "ready", reads a line, and prints how many calls it began. Each attack has an address of
its own.
"""

import contextlib
import json
import selectors
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))
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

GUESS = b"/pb.LiteKubeNCBootstrapService/GetToken"
CHECK = b"/pb.LiteKubeNCService/CheckConnState"
WATCH = b"/grpc.health.v1.Health/Watch"
STREAMS = 100
HELLOS_A_SECOND = 4000
AT_ONCE = 32  # handshakes of an attacker that connects again
CONNECT_S = 1.0  # how long it waits for one to begin
FRAME_HEADER_BYTES = 9


class Attack(NamedTuple):
    """What an attacker does.

    Attributes:
        connections: how many it has at first.
        port: `bootstrap`, without a certificate, or `control`, with an unregistered node's.
        calls: what is sent of a call on a stream.
        again: whether a call that has ended is followed by another.
        anew: whether a connection that has begun its calls is left at once for another.
    """

    connections: int
    port: str
    calls: Callable[[int], bytes]
    again: bool = False
    anew: bool = False


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
    "headers anew, unregistered": Attack(0, "control", lambda s: headers(s, CHECK), anew=True),
    "headers anew, stranger": Attack(0, "bootstrap", lambda s: headers(s, GUESS), anew=True),
    "guesses anew": Attack(0, "bootstrap", _guess, anew=True),
    "health watches": Attack(12, "bootstrap", _watch),
    "guesses": Attack(8, "bootstrap", _guess, again=True),
    "rapid reset": Attack(1, "bootstrap", _reset, again=True),
}
OTHERS = ("busy", "ClientHellos")
SOURCES = {name: f"127.0.0.{66 + number}" for number, name in enumerate((*OTHERS, *ATTACKS))}


def attack(name: str, port: int, folder: str, seconds: float) -> None:
    """Prepare, wait for the word, and go on for so long; prints how many calls were begun."""
    if name == "busy":
        started()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass
        print(0)
    elif name == "ClientHellos":
        print(hellos(port, SOURCES[name], seconds))
    else:
        what = ATTACKS[name]
        connect = partial(Connection, what, port, SOURCES[name], Path(folder))
        print((leave if what.anew else flood)(connect, what, seconds))


def started() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


def hellos(port: int, source: str, seconds: float) -> int:
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
            peer.bind((source, 0))
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

    def __init__(self, what: Attack, port: int, source: str, folder: Path) -> None:
        context = ssl.create_default_context(cafile=str(folder / "data/pki/grpc/ca.pem"))
        context.set_alpn_protocols(["h2"])
        if what.port == "control":
            context.load_cert_chain(folder / "node.pem", folder / "node-key.pem")
        raw = socket.create_connection(("127.0.0.1", port), CONNECT_S, (source, 0))
        try:
            raw.settimeout(None)
            self.socket = context.wrap_socket(raw, server_hostname="localhost")
        except OSError:
            raw.close()
            raise
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


def flood(connect: Callable[[], Connection], what: Attack, seconds: float) -> int:
    """Begin calls on all connections, and connect again when the server hangs up."""
    begun, connected = list[Connection](), SimpleQueue[Connection]()
    for _ in range(what.connections):
        connected.put(connect())
    waiting = selectors.DefaultSelector()
    started()
    end = time.monotonic() + seconds

    def connect_again() -> None:
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                connected.put(connect())
                return

    with ThreadPoolExecutor(AT_ONCE) as threads:
        while time.monotonic() < end:
            while not connected.empty():
                begun.append(one := connected.get())
                one.begin()
                waiting.register(one.socket, selectors.EVENT_READ, one)
            for key, _ in waiting.select(0.05):
                one = key.data
                try:
                    one.go_on(again=what.again)
                    if what.calls is _reset:
                        one.begin()
                except OSError:
                    waiting.unregister(key.fileobj)
                    one.socket.close()
                    if what.again:
                        threads.submit(connect_again)
    return sum(one.begun for one in begun)


def leave(connect: Callable[[], Connection], _what: Attack, seconds: float) -> int:
    """Begin calls on a connection after the other, and leave it for a new one."""
    started()
    end = time.monotonic() + seconds

    def go_on(_number: int) -> int:
        begun = 0
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                one = connect()
                with one.socket:
                    one.begin()
                    begun += one.begun
        return begun

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return sum(threads.map(go_on, range(AT_ONCE)))


if __name__ == "__main__":
    attack(**json.loads(sys.argv[1]))
