"""A way to the servers that swallows everything: no connection ends, and nothing comes."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import uvloop

from eventlog import jetstream
from eventlog.jetstream import connection, publishing, tail
from eventlog.jetstream.log import BUSY_AFTER_S
from eventlog.jetstream.messages import Codec
from tests.support.nats_identities import write_certificates
from tests.support.nats_servers import NatsServer, address_of, nats_server
from tests.support.replica_bench import on_a_loop

pytestmark = [  # as that fixture says
    pytest.mark.usefixtures("forgotten_sockets"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

# Far beyond what a reconnection takes, and less than TLS waits for the end of a connection (30 s).
PATIENCE_S = 25.0


class Way:
    """A port that passes everything on to a server, until it is cut.

    Attributes:
        is_used: whether a connection goes through it.
    """

    def __init__(self, server: NatsServer) -> None:
        self._server = server
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self._is_cut = False
        self.is_used = False
        self.port = 0

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        if self._is_cut:
            return
        self.is_used = True
        there, back = await asyncio.open_connection(self._server.host, self._server.port)
        self._writers.append(back)
        self._tasks |= {
            asyncio.create_task(self._copy(reader, back)),
            asyncio.create_task(self._copy(there, writer)),
        }

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                sink.write(data)
            sink.close()
            self.is_used = False

    def cut(self) -> None:
        """From now on, all that is sent is lost, and no connection ends."""
        self._is_cut = True
        for task in self._tasks:
            task.cancel()

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for writer in self._writers:
            writer.transport.abort()


@contextlib.asynccontextmanager
async def two_ways(server: NatsServer) -> AsyncIterator[list[Way]]:
    ways = [Way(server), Way(server)]
    async with contextlib.AsyncExitStack() as stack:
        for way in ways:
            listener = await asyncio.start_server(way.pass_on, server.host, 0)
            stack.callback(listener.close)
            stack.callback(way.close)
            way.port = listener.sockets[0].getsockname()[1]
        yield ways


async def test_a_server_that_takes_nothing_any_more_is_left_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However much is still to be sent."""
    monkeypatch.setattr(connection, "_LAST_S", 0.1)
    streams: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        streams.append((reader, writer))
        writer.write(b'INFO {"server_id":"A","version":"2.11.0","max_payload":8388608}\r\n')
        await reader.readuntil(b"PING\r\n")
        writer.write(b"PONG\r\n")

    listener = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    client = await connection.connect(jetstream.StreamAddress.parse(f"nats://127.0.0.1:{port}/L"))
    for _ in range(4):  # more than the kernel's buffers take
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(client.publish("x", bytes(7_000_000)), 0.05)
    async with asyncio.timeout(PATIENCE_S):
        await connection.disconnect(client)
    for _, writer in streams:
        writer.transport.abort()
    listener.close()


def test_a_connection_ends_whose_server_is_gone() -> None:
    """On the loop that programs run on: what is still to be sent is left."""

    async def end() -> None:
        gone = asyncio.Event()

        async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b'INFO {"server_id":"A","version":"2.11.0","max_payload":1024}\r\n')
            await reader.readuntil(b"PING\r\n")
            writer.write(b"PONG\r\n")
            await gone.wait()
            writer.transport.abort()

        listener = await asyncio.start_server(greet, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        address = jetstream.StreamAddress.parse(f"nats://127.0.0.1:{port}/L")
        client = await connection.connect(address)
        listener.close()
        gone.set()
        while not client.why_lost:  # noqa: ASYNC110 - the client tells nobody
            await asyncio.sleep(0)
        await client.publish("x", b"late")
        await connection.disconnect(client)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(end())


async def test_an_append_goes_on_by_another_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way that was cut is left without waiting for the end of its TLS connection."""
    monkeypatch.setattr(publishing, "TRY_S", 0.2)  # a slower answer is asked for again
    pki = tmp_path / "pki"
    write_certificates(pki)
    settings = (
        f'tls {{ cert_file: "{pki}/server.pem", key_file: "{pki}/server-key.pem", '
        f'ca_file: "{pki}/ca.pem", verify: true }}'
    )
    files = f"&ca={pki}/ca.pem&cert={pki}/client.pem&key={pki}/client-key.pem"
    with nats_server(tmp_path / "nats", extra=settings) as server:
        await jetstream.make(address_of(server, stream="L", more=files), replicas=1)
        async with two_ways(server) as ways:
            hosts = ",".join(f"{server.host}:{way.port}" for way in ways)
            address = f"tls://{hosts}/L?monitor={server.monitor}{files}"
            log = await jetstream.open(address, tmp_path / "copy")
            assert await log.append(b"before", 1, 0) == 1
            log.busy_after_s = PATIENCE_S
            next(way for way in ways if way.is_used).cut()
            assert await log.append(b"after", 1, 1) == 2
            await log.close()


@on_a_loop
async def test_how_long_a_server_is_out_of_date_counts_from_its_first_answer() -> None:
    """Before it nobody answered, and nothing was known of the stream."""
    loop = asyncio.get_running_loop()
    asked_s: list[float] = []

    async def request(*_: Any, **__: Any) -> Any:
        if loop.time() < begun_s + publishing.TRY_S * 6:  # as long as there is no majority
            await asyncio.sleep(PATIENCE_S)
        asked_s.append(loop.time())
        is_behind = asked_s[-1] < asked_s[0] + publishing._REWOUND_AFTER_S
        error = {"err_code": 10071, "description": "wrong last sequence: 1"}
        answer = {"error": error} if is_behind else {"seq": 3}
        return SimpleNamespace(data=json.dumps(answer).encode())

    async def nothing(*_: object) -> None:
        pass

    client: Any = SimpleNamespace(denied="", problem="", request=request, force_reconnect=nothing)
    reading: Any = SimpleNamespace(kept=0, chain_at=lambda _: None, pass_own=nothing)
    record: Any = SimpleNamespace(chain=b"chain")
    address, begun_s = jetstream.StreamAddress.parse("nats://h/s?monitor=1"), loop.time()
    pending = publishing.Pending(2, record, b"data")
    outcome = await publishing.publish(client, address, reading, pending, BUSY_AFTER_S)
    assert outcome is publishing.Outcome.APPENDED


@on_a_loop
async def test_a_start_gives_the_first_server_that_answers_time_to_be_up_to_date(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As after a power failure, while servers of NATS come back one after the other."""
    loop = asyncio.get_running_loop()
    begun_s, nobody_s, behind_s = loop.time(), tail._PATIENCE_S - 1, tail._PATIENCE_S - 2

    async def search(_tail: object) -> int | None:
        if loop.time() < begun_s + nobody_s:
            raise TimeoutError
        return None if loop.time() < begun_s + nobody_s + behind_s else 7

    async def has_leader(_tail: object) -> bool:
        return True

    monkeypatch.setattr(tail.Tail, "_search", search)
    monkeypatch.setattr(tail.Tail, "_has_leader", has_leader)
    client: Any = SimpleNamespace(denied="", has_jetstream=True)
    copy: Any = SimpleNamespace(last_seq=5, head=b"chain", epoch=1, is_marked=False)
    address, codec = jetstream.StreamAddress.parse("nats://h/s?monitor=1"), Codec("s", bytes(16))
    reading = tail.Tail(client, address, codec, copy)
    await reading._locate()
    assert reading.end.stream_seq == 7
