"""A watch of events: no hole and no event twice, whatever happens to the connection."""

import asyncio
import contextlib
import itertools
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from eventlog import LogReader
from nc.client import (
    AsyncClient,
    Client,
    Context,
    PermissionDenied,
    Role,
    Unauthenticated,
    Unavailable,
)
from nc.client.calls import Calls
from nc.client.channel import Channel
from nc.client.types import IssuedToken
from nc.pb.admin.v1.events_pb2 import WatchEventsResponse
from tests.support.server_process import LOOPBACK, ServerProcess
from tests.support.whole_server import PATIENCE_S


class Relay:
    """A TCP relay to a port, whose connections can be cut."""

    def __init__(self, port: int) -> None:
        self.port = 0
        self._target = port
        self._writers: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._accept, LOOPBACK, 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            self.cut()
            await server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward, back = await asyncio.open_connection(LOOPBACK, self._target)
        self._writers |= {writer, back}
        await asyncio.gather(self._copy(reader, back), self._copy(onward, writer))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(4096):
                writer.write(data)
        writer.close()

    def cut(self) -> None:
        """Break every connection off."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()


async def test_a_connection_that_is_cut_again_and_again_loses_no_event(tmp_path: Path) -> None:
    """The watch gives each event of the log once, in order."""
    with ServerProcess(tmp_path / "data") as server:
        direct = Context.of_data_dir(server.data_dir, port=server.control_port)
        relay = Relay(server.control_port)
        async with relay.running(), AsyncClient(direct) as operator:
            through = Context.of_data_dir(server.data_dir, port=relay.port)
            async with AsyncClient(through) as watcher:
                seen: list[int] = []
                async for event in watcher.events.watch(from_seq=1):
                    seen.append(event.seq)
                    if event.seq % 3 == 0:
                        relay.cut()
                    if event.seq >= 20:
                        break
                    await operator.tokens.issue()
        assert seen == list(range(1, 21))
        assert LogReader(server.log_dir).last_seq >= 20


async def test_a_watch_goes_on_after_a_crash_of_the_server(tmp_path: Path) -> None:
    """The server is killed and started again: the watch of then has what was appended since."""
    data_dir, seen = tmp_path / "data", []
    with ServerProcess(data_dir) as server:
        context = Context.of_data_dir(data_dir, port=server.control_port)
        async with AsyncClient(context, retries=50, timeout_s=60) as client:
            watch = client.events.watch(from_seq=1, kinds=["token_issued"])
            tokens = [await client.tokens.issue()]
            async for event in watch:
                seen.append(event.fields.token_id)
                if len(seen) == 1:
                    server.kill()
                    server.wait()
                    again = ServerProcess(data_dir, "--grpc-port", str(server.control_port))
                    tokens += [await operator_issue(again, data_dir) for _ in range(3)]
                if len(seen) == 4:
                    break
        again.close()
    assert seen == [token.issued.id for token in tokens]


async def operator_issue(server: ServerProcess, data_dir: Path) -> IssuedToken:
    context = Context.of_data_dir(data_dir, port=server.control_port)
    async with AsyncClient(context) as operator:
        return await operator.tokens.issue()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server for the whole module."""
    with ServerProcess(tmp_path_factory.mktemp("watch") / "data") as running:
        yield running


def test_a_watch_begins_with_the_next_event(server: ServerProcess) -> None:
    """Without a sequence number, what is there already is not given again."""
    context = Context.of_data_dir(server.data_dir, port=server.control_port)
    with Client(context) as client, Client(context) as operator:
        operator.tokens.issue()
        last = client.events.last_seq()
        watch = client.events.watch(from_seq=last + 1)
        operator.tokens.issue(label="next")
        event = next(watch)
        assert (event.seq, event.fields.label) == (last + 1, "next")
        newest = next(client.events.read(newest_first=True, page_size=1))
        assert newest.seq == event.seq


def test_pages_are_asked_for_as_they_are_needed(server: ServerProcess) -> None:
    """Every page size gives the same events, and nothing is given twice."""
    context = Context.of_data_dir(server.data_dir, port=server.control_port)
    with Client(context) as client:
        for _ in range(5):
            client.tokens.issue()
        until = client.events.last_seq()
        whole = [event.seq for event in client.events.read(page_size=10_000)]
        for size in (1, 2, 7):
            read = client.events.read(page_size=size)
            assert list(itertools.islice((e.seq for e in read), len(whole))) == whole
        assert whole == list(range(1, until + 1))


def test_a_closed_client_says_so(server: ServerProcess) -> None:
    """Also through an iterator that was not read to its end, which is left without a warning."""
    with Client(Context.of_data_dir(server.data_dir, port=server.control_port)) as client:
        events = client.events.watch(from_seq=1)
        next(events)
    with pytest.raises(RuntimeError, match="the client is closed"):
        client.nodes.count()
    with pytest.raises(RuntimeError, match="the client is closed"):
        list(events)


@pytest.mark.parametrize("is_lost", [False, True])
def test_closing_a_client_ends_what_other_threads_wait_for(
    monkeypatch: pytest.MonkeyPatch, *, is_lost: bool
) -> None:
    """Whether a watch waits for events or for a server that is gone, its thread is told."""
    waits, told = threading.Event(), []

    async def wait_for_ever(*_: object) -> None:
        waits.set()
        await asyncio.Event().wait()

    async def stream(*_: object, **__: object) -> AsyncIterator[WatchEventsResponse]:
        yield WatchEventsResponse(next_seq=3)
        if is_lost:
            raise Unavailable("Watch", "here", "gone")
        await wait_for_ever()

    def read_on(client: Client) -> None:
        with pytest.raises(RuntimeError) as closed:
            next(client.events.watch(from_seq=1))
        told.append(str(closed.value))

    monkeypatch.setattr(Channel, "stream", stream)
    monkeypatch.setattr(Calls, "pause", wait_for_ever)
    client = Client(Context(LOOPBACK, 1, plaintext=True)).open()
    reader = threading.Thread(target=read_on, args=(client,), daemon=True)
    reader.start()
    assert waits.wait(PATIENCE_S)
    client.close()
    reader.join(PATIENCE_S)
    assert told == ["the client is closed"]


def test_a_watch_of_nobody_is_an_error_at_once() -> None:
    """Where no server is, a watch does not try for ever."""
    with (
        Client(Context(LOOPBACK, 1, plaintext=True), retries=0) as client,
        pytest.raises(Unavailable),
    ):
        next(client.events.watch())


def test_a_revoked_certificate_ends_a_watch(server: ServerProcess, tmp_path: Path) -> None:
    """What another try cannot mend is raised, and no reconnection goes on for ever."""
    context = Context.of_data_dir(server.data_dir, port=server.control_port)
    with Client(context) as client:
        issued = client.administrators.issue("eve", Role.VIEWER)
        for name, pem in (
            ("ca.pem", issued.ca_pem),
            ("client.pem", issued.certificate_pem),
            ("client-key.pem", issued.key_pem),
        ):
            (tmp_path / name).write_text(pem, encoding="ascii")
            (tmp_path / name).chmod(0o600)
        of_eve = Context.of_certificates(tmp_path, port=server.control_port)
        with Client(of_eve) as eve:
            watch = eve.events.watch(from_seq=1)
            next(watch)
            with pytest.raises(PermissionDenied):
                eve.tokens.issue()
            client.administrators.revoke("eve")
            with pytest.raises((PermissionDenied, Unauthenticated)):
                list(itertools.islice(watch, 1000))


def test_ctrl_c_ends_a_watch_in_good_order(server: ServerProcess) -> None:
    """It reaches the program as KeyboardInterrupt, and the client can be used after it.

    Also where a thread that does not wait gets the signal: the waiting one is not woken by it.
    """
    context = Context.of_data_dir(server.data_dir, port=server.control_port)
    with Client(context) as client:
        client.tokens.issue()
        watch = client.events.watch(from_seq=1, kinds=["token_issued"])
        next(watch)
        interrupt = threading.Timer(
            0.2, lambda: signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        )

        def read_on() -> None:
            interrupt.start()
            list(watch)

        with pytest.raises(KeyboardInterrupt):
            read_on()
        interrupt.join()
        assert client.server.status().version
