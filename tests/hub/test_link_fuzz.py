"""Noise on the link port of the real program, at every stage: nothing crashes it, nothing stays.

After each test, of the process that all the noise went to:

    1. it lives, and a proper client is served
    2. it came to no bug of its own: no `link.crashed`, no `loop.error`, no traceback
    3. it has no more files open than before
"""

import asyncio
import contextlib
import itertools
import shutil
import socket
import struct
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nc.client.channel import Channel
from nc.pb import network_controller_pb2 as pb
from tests.support.link_client import HELLO, LinkClient, frame, packet
from tests.support.server_process import LOOPBACK, PATIENCE_S, ServerProcess

FUZZ = settings(
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)


class Target:
    """The server, and the tokens of nodes, whose turn it is in turn: one alone is slowed down."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.first, *others = asyncio.run(self._enrol())
        self.others = itertools.cycle(others)

    async def _enrol(self) -> list[str]:
        async with Channel(LOOPBACK, self.server.control_port, None) as client:
            issued = await client.call("GetBootStrapToken", pb.GetBootStrapTokenRequest())
            request = pb.GetTokenRequest(bootStrapToken=issued.bootStrapToken)
            return [str((await client.call("GetToken", request)).token) for _ in range(21)]

    def upgrade(self) -> bytes:
        """A proper request for a link."""
        return UPGRADE + b"node-token: " + next(self.others).encode() + b"\r\n\r\n"

    def shout(self, noise: bytes) -> bytes:
        """Send noise, and say no more; returns all that comes back until the server hangs up."""
        heard = b""
        where = (LOOPBACK, self.server.link_port)
        with (
            contextlib.suppress(OSError),  # it may have had enough before the end
            socket.create_connection(where, PATIENCE_S) as connection,
        ):
            connection.sendall(noise)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65_536):
                heard += part
        return heard

    def open_files(self) -> list[str]:
        """What the server has open."""
        opened = []
        for path in Path(f"/proc/{self.server.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                opened.append(str(path.readlink()))
        return sorted(opened)

    async def be_served(self) -> str:
        """What a proper client is told."""
        client = await LinkClient.connect(self.server.link_port, self.first)
        try:
            return await client.hand_shake()
        finally:
            await client.vanish()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The program, in plain text so that the noise gets through."""
    folder = tmp_path_factory.mktemp("noisy")
    with ServerProcess(folder / "data", "--plaintext") as running:
        yield running
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def known(server: ServerProcess) -> Target:
    """The server with a node that is known to it."""
    return Target(server)


@pytest.fixture
def target(known: Target) -> Iterator[Target]:
    """The same, seen to be unharmed at the end of the test."""
    assert asyncio.run(known.be_served()) == "10.1.1.3/24"
    time.sleep(0.1)  # what is made once is there by now
    files = known.open_files()
    yield known
    assert asyncio.run(known.be_served()) == "10.1.1.3/24"
    deadline = time.monotonic() + PATIENCE_S
    while len(known.open_files()) > len(files) and time.monotonic() < deadline:
        time.sleep(0.01)
    now = known.open_files()
    assert len(now) <= len(files), Counter(now) - Counter(files)
    assert known.server.is_alive
    assert not [event for event in ("link.crashed", "loop.error") if known.server.logged(event)]
    assert b"Traceback" not in known.server.stderr


HEADER = st.tuples(
    st.sampled_from([b"node-token", b"Upgrade", b"Connection", b"Sec-WebSocket-Key", b"x"])
    | st.binary(max_size=10),
    st.binary(max_size=40),
).map(lambda pair: pair[0] + b": " + pair[1] + b"\r\n")

REQUESTS = st.one_of(
    st.binary(max_size=300),
    st.binary(max_size=50).map(lambda start: start + b"\r\n\r\n"),
    st.lists(HEADER, max_size=6).map(lambda lines: UPGRADE + b"".join(lines) + b"\r\n"),
    st.integers(0, len(UPGRADE)).map(lambda size: UPGRADE[:size]),
)


@FUZZ
@given(REQUESTS)
@example(UPGRADE + b"\r\n")
@example(UPGRADE + b"x: " + b"y" * 20_000 + b"\r\n\r\n")
@example(UPGRADE + b"x: y\r\n" * 200 + b"\r\n")
@example(UPGRADE + b"node-token: \xff\xfe\x00\r\n\r\n")
@example(b"GET http://\xff/ws HTTP/1.1\r\n\r\n")
def test_noise_instead_of_a_request(target: Target, noise: bytes) -> None:
    """An HTTP error in a sentence, or nothing; what lacks but the token is closed with 1008."""
    heard = target.shout(noise)
    head, _, rest = heard.partition(b"\r\n\r\n")
    is_closed = (
        head.startswith(b"HTTP/1.1 101") and rest[:1] == b"\x88" and rest[2:4] == b"\x03\xf0"
    )
    assert heard == b"" or heard.startswith(b"HTTP/1.1 4") or is_closed


GOOD = packet("10.1.1.3", "10.1.1.5", b"hello")

FRAMES = st.one_of(
    st.binary(max_size=40),
    st.builds(
        lambda opcode, payload, first, mask: frame(opcode, payload, first=first, mask=mask),
        st.integers(0, 15),
        st.binary(max_size=130) | st.just(HELLO) | st.just(GOOD),
        st.sampled_from([0x80, 0x80, 0x80, 0x00, 0xC0, 0xB0, 0xF0]),
        st.sampled_from([b"abcd", b"abcd", bytes(4), None]),
    ),
    # a length that is not true
    st.builds(
        lambda opcode, size, rest: struct.pack("!BBQ", 0x80 | opcode, 0xFF, size) + rest,
        st.integers(0, 15),
        st.sampled_from([0, 125, 65_535, 65_536, 65_537, 2**31, 2**63 - 1, 2**63, 2**64 - 1]),
        st.binary(max_size=20),
    ),
)


@FUZZ
@given(st.booleans(), st.lists(FRAMES, max_size=8))
@example(True, [frame(8, b"")])
@example(True, [frame(8, b"\x03")])
@example(True, [frame(8, b"\x03\xe8" + b"\xff" * 9)])
@example(True, [frame(8, b"\x03\xe8"), frame(8, b"\x03\xe8"), frame(2, GOOD)])
@example(True, [frame(9, b"x" * 125)] * 50)
@example(False, [frame(9, b"x"), frame(10, b"y"), frame(0, b"z")])
@example(True, [frame(1, GOOD, mask=None), frame(1, GOOD)])
def test_noise_after_the_upgrade(target: Target, hello: bool, frames: list[bytes]) -> None:
    """Whatever the frames are, what comes back are frames, and the connection ends."""
    first = frame(1, HELLO) if hello else b""
    heard = target.shout(target.upgrade() + first + b"".join(frames))
    head, _, rest = heard.partition(b"\r\n\r\n")
    assert head == b"" or head.startswith(b"HTTP/1.1 101")
    while rest:
        opcode, size = rest[0], rest[1]
        assert opcode in {0x81, 0x88, 0x89, 0x8A}
        assert size < 126
        assert len(rest) >= 2 + size
        rest = rest[2 + size :]


def test_many_connections_that_break_at_once(target: Target) -> None:
    """Hundreds at every stage, cut off together."""
    stages = (b"", target.upgrade(), target.upgrade() + frame(1, HELLO))
    connections = [
        socket.create_connection((LOOPBACK, target.server.link_port)) for _ in range(400)
    ]
    for number, connection in enumerate(connections):
        connection.sendall(stages[number % len(stages)])
    for connection in connections:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()


def test_the_folder_is_clean_afterwards(known: Target) -> None:
    """Nothing but what belongs there."""
    names = {path.name for path in Path(known.server.data_dir).iterdir()}
    assert names == {"log", "pki", "secret.key", "links.sock"}
