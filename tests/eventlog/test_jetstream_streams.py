"""A stream is used if it cannot lose events, and if it is the one that was read before."""

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import nats as nats_client
import pytest
from nats.js.api import DiscardPolicy, StreamConfig

from eventlog import LogDamaged, LogError, LogRewound, LogUnavailable, LogUnreachable, jetstream
from eventlog.jetstream import StreamAddress, messages, stream, tail
from eventlog.jetstream.address import AddressWrong
from tests.support.nats_servers import NatsServer, address_of, flip_bit, free_port, nats_server

pytestmark = [  # as that fixture says
    pytest.mark.usefixtures("forgotten_sockets"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

TIMEOUT_S = 60


async def changed(server: NatsServer, name: str, **fields: Any) -> None:
    """Change a stream's configuration, as somebody else might."""
    client = await nats_client.connect(f"nats://{server.host}:{server.port}")
    config = (await client.jetstream(timeout=TIMEOUT_S).stream_info(name)).config
    await client.jetstream(timeout=TIMEOUT_S).update_stream(replace(config, **fields))
    await client.close()


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"discard": DiscardPolicy.OLD}, "discard old, expected new"),
        ({"max_age": 3600.0}, "max_age 3600"),
        ({"max_msgs": 1000}, "max_msgs 1000, expected -1"),
        ({"max_msgs_per_subject": 1000}, "max_msgs_per_subject 1000"),
        ({"subjects": ["more.than.one", "x.log"]}, "subjects"),
        ({"duplicate_window": 10.0}, "duplicate_window 10"),
        ({"republish": None}, "no republish to"),
        ({"metadata": {}}, "not made for a log"),
        ({"allow_direct": False}, "allow_direct False"),
    ],
)
async def test_a_stream_that_could_lose_events_is_refused(
    fields: dict[str, Any], found: str, tmp_path: Path, nats: NatsServer
) -> None:
    """Each setting that matters is checked at every start, and named."""
    name = f"S{abs(hash(found))}"
    address = address_of(nats, stream=name)
    await jetstream.make(address, replicas=1)
    await changed(nats, name, **fields)
    with pytest.raises(LogUnavailable, match=found):
        await jetstream.open(address, tmp_path / "copy")


async def test_another_stream_and_none_are_told_apart(tmp_path: Path, nats: NatsServer) -> None:
    """A stream that was made for something else, one that allows to delete, and no stream."""
    client = await nats_client.connect(f"nats://{nats.host}:{nats.port}")
    await client.jetstream(timeout=TIMEOUT_S).add_stream(
        StreamConfig(name="other", subjects=["other"])
    )
    await client.close()
    with pytest.raises(LogUnavailable, match="not made for a log"):
        await jetstream.open(address_of(nats, stream="other"), tmp_path / "copy")
    with pytest.raises(jetstream.StreamMissing, match="there is no such stream"):
        await jetstream.open(address_of(nats, stream="none"), tmp_path / "copy")


async def test_servers_that_do_not_sync_are_refused(tmp_path: Path) -> None:
    """By default NATS syncs every two minutes: a power failure would take what it acknowledged."""
    with (
        nats_server(tmp_path / "nats", sync="") as server,
        pytest.raises(LogUnavailable, match="set sync_interval to always"),
    ):
        await jetstream.make(address_of(server, stream="L"), replicas=1)


async def test_servers_that_cannot_be_asked_are_refused(
    tmp_path: Path, nats: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without their monitoring page nobody knows whether they sync; who only reads need not."""
    address = address_of(nats, stream="unasked")
    await jetstream.make(address, replicas=1)
    without = address.partition("?")[0]
    with pytest.raises(LogUnavailable, match=r"add \?monitor=PORT"):
        await jetstream.open(without, tmp_path / "copy")
    wrong = f"{without}?monitor={free_port(nats.host)}"
    with pytest.raises(LogUnreachable, match="does not answer"):
        await jetstream.open(wrong, tmp_path / "copy")
    await (await jetstream.open(without, tmp_path / "copy", only_reads=True)).close()
    monkeypatch.setattr(stream, "OLDEST_SERVER", (99, 0))
    with pytest.raises(LogUnavailable, match=r"runs NATS .*, expected 99.0 or newer"):
        await jetstream.open(address, tmp_path / "copy")


async def test_nobody_there(tmp_path: Path) -> None:
    """No server at the address: an error that says so, at once."""
    port = free_port("127.0.1.1")
    with pytest.raises(LogUnreachable, match=r"no server of NATS answers: .*refused"):
        async with asyncio.timeout(TIMEOUT_S):
            await jetstream.open(f"nats://127.0.1.1:{port}/L", tmp_path / "copy", only_reads=True)


async def test_a_stream_that_nobody_gives_has_not_ended(nats: NatsServer) -> None:
    """As while its servers have no majority: to take that for its end would look like a loss."""
    client = await nats_client.connect(f"nats://{nats.host}:{nats.port}")
    with pytest.raises(nats_client.errors.Error, match="status 503"):
        await messages.fetch(client, "nobody", 1)
    await client.close()


async def test_a_message_that_rotted_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server leaves out what does not match its checksum: that is not the end of the log."""
    monkeypatch.setattr(tail, "_PATIENCE_S", 0)
    with nats_server(tmp_path / "nats") as server:
        address = address_of(server, stream="L")
        await jetstream.make(address, replicas=1)
        log = await jetstream.open(address, tmp_path / "copy")
        for seq in range(9):
            await log.append(b"<record %d>" % seq, 1, seq)
        await log.close()
        server.stop()
        flip_bit(server.store, b"<record 4>")
        server.start(server.monitor)
        server.wait()
        with pytest.raises(LogDamaged, match=r"message 5.*none at any server"):
            await jetstream.open(address, tmp_path / "other")
        log = await jetstream.open(address, tmp_path / "copy")
        assert await log.append(b"more", 1, 9) == 10
        await log.close()


@pytest.mark.parametrize("what", ["shorter", "forked"])
async def test_a_stream_that_was_put_back_is_noticed(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers with an older copy of the stream, or with one that went on otherwise."""
    monkeypatch.setattr(tail, "_PATIENCE_S", 0)
    server = NatsServer(tmp_path / "nats")
    server.start(free_port(server.host))
    try:
        server.wait()
        address = address_of(server, stream="L")
        await jetstream.make(address, replicas=1)
        log = await jetstream.open(address, tmp_path / "copy")
        for seq in range(5):
            await log.append(b"%d" % seq, 1, seq)
        await log.close()
        server.kill()
        shutil.copytree(server.store, tmp_path / "old")
        server.start(server.monitor)
        server.wait()
        log = await jetstream.open(address, tmp_path / "copy")
        for seq in range(5, 9):
            await log.append(b"%d" % seq, 1, seq)
        await log.close()
        server.kill()
        server.forget()
        shutil.copytree(tmp_path / "old", server.store)
        server.start(server.monitor)
        server.wait()
        if what == "forked":
            other = await jetstream.open(address, tmp_path / "other")
            for seq in range(5, 12):
                await other.append(b"other", 1, seq)
            await other.close()
        with pytest.raises(LogRewound, match="does not have event 9 as its copy has it"):
            await jetstream.open(address, tmp_path / "copy")
    finally:
        server.kill()


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("http://a/L", "no nats://"),
        ("nats://user:secret@a/L", "a password in it can be seen"),
        ("nats://a:0/L", "“0” is no port"),
        ("nats://a b/L", "is no HOST"),
        ("nats://a/L.M", "as a stream's name"),
        ("nats://a/L?monitor=x", "“x” is no port"),
        ("nats://a/L?cert=x", "belong together"),
        ("nats:///L", "names no host"),
        ("nats://[::1/L", "is no HOST"),
        ("http://u:secret@a/L", "name a creds file"),
        ("nats://u:sec/secret@a/L", "name a creds file"),
        ("nats://u:secret@[a/L", "name a creds file"),
        ("nats://a/L#b", "“#b” is no part of it"),
        ("nats://a/L?ca=", "“ca” has no value"),
        ("nats://a/L?monitor=1&monitor=2", "“monitor” has two values"),
        ("nats://a/L?color=red", "“color” is no option"),
    ],
)
def test_a_wrong_address_is_explained(address: str, problem: str) -> None:
    """It says what is wrong, and what is expected; a password is not repeated."""
    with pytest.raises(AddressWrong, match=problem) as caught:
        StreamAddress.parse(address)
    assert "expected nats://HOST" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_an_address_has_servers_and_files() -> None:
    """Ports and the stream have defaults; an IPv6 address is in brackets; a + is one."""
    parsed = StreamAddress.parse("nats://a,b:5,[::1]:6?ca=/c%2B+.pem&monitor=8222")
    assert parsed.servers == (("a", 4222), ("b", 5), ("[::1]", 6))
    assert (parsed.stream, parsed.ca, parsed.monitor) == ("eventlog", Path("/c++.pem"), 8222)
    assert parsed.urls == ["tls://a:4222", "tls://b:5", "tls://[::1]:6"]
    assert isinstance(AddressWrong("a", "b"), LogError)
