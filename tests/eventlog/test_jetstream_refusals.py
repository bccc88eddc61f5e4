"""Why a server of NATS does not serve: the cause and the remedy are named."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

import eventlog
from eventlog import LogBusy, LogError, LogFull, LogUnavailable, LogUnreachable, jetstream
from eventlog.jetstream import connection
from eventlog.jetstream.moving import to_stream
from tests.support.nats_identities import write_credentials
from tests.support.nats_servers import NatsServer, address_of, nats_server

pytestmark = [  # as that fixture says
    pytest.mark.usefixtures("forgotten_sockets"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

# What the documentation says that a user needs.
_NEEDED = {
    "pub": {"allow": ["E.log", "$JS.API.STREAM.*.E", "$JS.API.DIRECT.GET.E"]},
    "sub": {"allow": ["E.tail", "_INBOX.>"]},
}
_PUBLISHED = ("L.log", "$JS.API.STREAM.CREATE.>", "$JS.API.STREAM.INFO.L", "$JS.API.DIRECT.GET.L")
_SUBSCRIBED = ("L.tail", "_INBOX.>")
PATIENCE_S = 60

_MOVER = "mover"
_USERS = {
    "exact": _NEEDED,
    _MOVER: {"pub": {"deny": ["M.log"]}},
    **{f"pub-{n}": {"pub": {"deny": [each]}} for n, each in enumerate(_PUBLISHED)},
    **{f"sub-{n}": {"sub": {"deny": [each]}} for n, each in enumerate(_SUBSCRIBED)},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Has the users' credentials."""
    return tmp_path_factory.mktemp("users")


@pytest.fixture(scope="module")
def nats(home: Path) -> Iterator[NatsServer]:
    """A server with accounts, which knows those users."""
    with nats_server(home / "nats", extra=write_credentials(home, _USERS)) as server:
        asyncio.run(jetstream.make(_address(server, home, "user"), replicas=1))
        yield server


def _address(nats: NatsServer, home: Path, user: str, stream: str = "L") -> str:
    return address_of(nats, stream=stream, more=f"&creds={home}/{user}.creds")


async def used(address: str, folder: Path) -> None:
    """The log in the stream, which is made if it is missing, is appended to."""
    with contextlib.suppress(jetstream.StreamMissing):
        await _append(address, folder)
        return
    await jetstream.make(address, replicas=1)
    await _append(address, folder)


async def _append(address: str, folder: Path) -> None:
    log = await jetstream.open(address, folder)
    try:
        await log.append(b"x", 1, log.last_seq)
    finally:
        await log.close()


async def _refusal(
    attempt: Callable[[], Awaitable[object]], expected: str, kind: type[LogError] = LogUnavailable
) -> LogError:
    """What it ends with; a busy machine may say first that nobody answered in so short a time."""
    for _ in range(20):
        with pytest.raises(kind) as why:
            await attempt()
        if expected in str(why.value):
            break
    assert expected in str(why.value)
    return why.value


async def test_a_user_needs_no_more_than_is_said(
    nats: NatsServer, home: Path, tmp_path: Path
) -> None:
    """With exactly those permissions a log is made, read and appended to."""
    await used(_address(nats, home, "exact", "E"), tmp_path / "copy")


@pytest.mark.parametrize("name", [name for name in _USERS if name not in ("exact", _MOVER)])
async def test_a_permission_that_is_missing_is_named(
    name: str, nats: NatsServer, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a user may not do ends the attempt with what it is, and with all that is needed."""
    monkeypatch.setattr("eventlog.jetstream.stream._ANSWER_S", 0.3)  # nobody answers those
    monkeypatch.setattr("eventlog.jetstream.messages._ANSWER_S", 0.3)
    monkeypatch.setattr("eventlog.jetstream.publishing.TRY_S", 0.3)
    (subject,) = next(iter(_USERS[name].values()))["deny"]
    stream = "new" if "CREATE" in subject else "L"
    address = _address(nats, home, name, stream)
    why = await _refusal(partial(used, address, tmp_path / "copy"), "this user of NATS may not do")
    assert type(why) is LogUnavailable
    assert subject.lower().rstrip(">") in str(why)
    assert f"subscribe to {stream}.tail, _INBOX.>" in str(why)
    assert name.startswith("sub") or not (tmp_path / "copy" / "log").exists()


async def test_a_move_that_is_refused_says_why(
    nats: NatsServer, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once: trying again changes neither a permission nor what a stream has room for."""
    monkeypatch.setattr("eventlog.jetstream.moving._ANSWER_S", 0.3)
    for stream, user, room, why in (
        ("M", _MOVER, -1, "this user of NATS may not do this: publish to"),
        ("N", "user", 3000, "the stream takes nothing more: maximum bytes exceeded"),
    ):
        with contextlib.closing(eventlog.open(tmp_path / stream)) as log:
            log.append(bytes(4000), 1, 0)
            log_id = log.log_id
        make = partial(jetstream.make, log_id=log_id, max_bytes=room)
        await make(_address(nats, home, "user", stream), replicas=1)
        address = jetstream.StreamAddress.parse(_address(nats, home, user, stream))
        moving = partial(
            to_stream, tmp_path / stream, address, replicas=1, progress=lambda *_: None
        )
        with pytest.raises((LogUnavailable, LogFull), match=why):
            await moving()


@contextlib.asynccontextmanager
async def impatient_log(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[NatsServer, jetstream.JetStreamLog]]:
    """A log that gives an append up after one try, and its server."""
    monkeypatch.setattr("eventlog.jetstream.publishing.TRY_S", 0.3)
    with nats_server(folder / "nats") as server:
        address = address_of(server, stream="L")
        await jetstream.make(address, replicas=1)
        log = await jetstream.open(address, folder / "copy")
        log.busy_after_s = 0.0
        yield server, log
        await log.close()


async def test_a_connection_that_is_not_made_again_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An append that has no answer says why: nobody is there, or lets this program in no more."""
    async with impatient_log(tmp_path, monkeypatch) as (server, log):

        async def append() -> None:
            await log.append(b"x", 1, 0)

        server.kill()
        await _refusal(append, "no server of NATS answers: Connection refused", LogBusy)
        server.extra = 'authorization { token: "secret" }'
        server.start(server.monitor)
        await _refusal(append, "no server of NATS lets this program in: it wants to know", LogBusy)


async def test_who_is_turned_away_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that ends a connection, as when credentials have ended, may let it in again."""
    async with impatient_log(tmp_path, monkeypatch) as (server, log):
        server.reload('authorization { token: "secret" }')
        async with asyncio.timeout(PATIENCE_S):
            while not log.client.problem:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.01)
        await _refusal(partial(log.append, b"x", 1, 0), "it wants to know who this is", LogBusy)
        server.reload("")
        log.busy_after_s = PATIENCE_S
        await log.append(b"y", 1, await log.barrier())
        await log.close()


async def test_credentials_may_be_missing_for_a_moment(
    nats: NatsServer, home: Path, tmp_path: Path
) -> None:
    """As while a program replaces them: they are read again until they are there."""
    address = _address(nats, home, "user", "C")
    await jetstream.make(address, replicas=1)
    log = await jetstream.open(address, tmp_path / "copy")
    file, away = home / "user.creds", home / "away"
    file.rename(away)
    try:
        await log.client.force_reconnect()
        async with asyncio.timeout(PATIENCE_S):
            while "cannot be read" not in log.client.problem:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.01)
    finally:
        away.rename(file)
    await log.append(b"x", 1, 0)
    await log.close()


async def test_no_jetstream_is_said_of_the_account_or_the_server(
    nats: NatsServer, home: Path, tmp_path: Path
) -> None:
    """Nobody is asked to look at the network: a setting turns it on."""
    poor = _address(nats, home, "poor")
    with nats_server(tmp_path / "nats", has_jetstream=False) as other:
        for address, why in (
            (poor, "this account of NATS has no JetStream: add jetstream: enabled"),
            (address_of(other, stream="L"), r"has no JetStream: add jetstream \{ … \} to its"),
        ):
            with pytest.raises(LogUnavailable, match=why) as error:
                await jetstream.open(address, tmp_path / "copy", only_reads=True)
            assert error.type is LogUnavailable
        with pytest.raises(LogUnavailable, match="has no JetStream: add jetstream to its settings"):
            await jetstream.make(address_of(other, stream="L"), replicas=1)


async def test_a_cluster_that_is_too_small_is_named(nats: NatsServer, home: Path) -> None:
    """What NATS says against a stream is repeated."""
    with pytest.raises(LogUnavailable, match=r"replicas > 1 not supported.* must be one cluster"):
        await jetstream.make(_address(nats, home, "user", "three"), replicas=3)


@contextlib.asynccontextmanager
async def listening(greeting: bytes, *, ends: bool = False) -> AsyncIterator[tuple[int, bytearray]]:
    """What says this at a port, and the bytes that it was sent."""
    received = bytearray()
    writers: list[asyncio.StreamWriter] = []

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(OSError):
            writer.write(greeting)
            await writer.drain()
            while not ends and (data := await reader.read(1024)):
                received.extend(data)
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], received
        server.close()
        for writer in writers:
            writer.transport.abort()


@pytest.mark.parametrize(
    ("greeting", "ends", "why"),
    [
        (b"", False, "something listens there, and says nothing"),
        (b"", True, "the connection is ended without a word"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", False, "it says 'SSH-2.0-OpenSSH_9.2'"),
        (b"\x15\x03\x01\x00\x02\x02\n", False, "no server of NATS: it says"),
        (b"x" * 200_000, False, "its first line does not end"),
    ],
)
async def test_what_is_no_server_of_nats_is_not_taken_for_one(
    greeting: bytes, ends: bool, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has refused anything then: it says what was found in place of a server."""
    if not greeting and not ends:
        monkeypatch.setattr(connection, "_CONNECT_S", 0.2)
    async with listening(greeting, ends=ends) as (port, _):
        address = f"nats://127.0.0.1:{port}/L"
        said = await _refusal(partial(jetstream.open, address, tmp_path / "copy"), why)
    assert isinstance(said, LogUnreachable)
    assert "no server of NATS answers: " in str(said)


async def test_nothing_is_sent_without_tls_where_it_was_asked_for(
    nats: NatsServer, tmp_path: Path
) -> None:
    """A server, or who stands in its place, that does not ask for TLS gets no byte."""
    told = b'INFO {"server_id":"x","version":"2.11.0","headers":true,"max_payload":1048576}\r\n'
    real = address_of(nats, stream="L").replace("nats:", "tls:")
    async with listening(told) as (port, received):
        for address in (real, f"tls://127.0.0.1:{port}/L"):
            with pytest.raises(LogUnavailable, match="does not ask for TLS"):
                await jetstream.open(address, tmp_path / "copy")
        assert not received


async def test_a_page_that_is_not_natss_is_said(
    nats: NatsServer, home: Path, tmp_path: Path
) -> None:
    """A wrong `monitor` is no traceback, and no old version."""
    wrong = _address(nats, home, "user").replace(f"monitor={nats.monitor}", f"monitor={nats.port}")
    with pytest.raises(LogUnavailable, match="is no monitoring page of NATS; name the port"):
        await jetstream.open(wrong, tmp_path / "copy")
