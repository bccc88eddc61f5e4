"""A link that `connect` makes to a server of LiteKube's protocol alone, and how it ends."""

import asyncio
import contextlib
from dataclasses import replace
from ipaddress import IPv4Interface
from pathlib import Path

import pytest

from nc.agent.certificates import node_tls
from nc.agent.connecting import connect
from nc.agent.connection import Target
from nc.agent.link_errors import LinkEnded, NodeUnregistered, RetryLater
from nc.domain.errors import NodeExpired, NodeUnknown
from nc.net import wire
from tests.support.node_certificates import network_folder, node_folder
from tests.support.plain_link_server import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    PlainLinkServer,
    server_tls,
)
from tests.support.plain_text_agent import (
    PATIENCE_S,
    TOKEN,
    next_frame,
    next_link,
    plain_text_server,
    target,
)


async def test_it_speaks_the_protocol_and_no_more() -> None:
    """Token in its header, the handshake, each packet a Text frame; Text and Binary come in."""
    async with plain_text_server() as server:
        end = await connect(target(server))
        link = await next_link(server)
        assert end.interface == IPv4Interface("10.1.1.3/24")
        assert not end.offload
        assert link.headers["node-token"] == TOKEN
        got: list[tuple[bytes, bool]] = []
        end.deliver = lambda frame, has_header: got.append((bytes(frame), has_header))
        packet = bytes([0x45, *range(200, 256)]) * 3  # nothing that could be UTF-8
        end.send(packet)
        assert await next_frame(link, TEXT) == packet
        link.send(TEXT, packet)
        link.send(BINARY, packet[:50])
        link.send(PING, b"are you there")
        assert await next_frame(link, PONG) == b"are you there"
        assert got == [(packet, False), (packet[:50], False)]
        await end.close()
        assert await next_frame(link, CLOSE) == b"\x03\xe8"


async def test_a_server_that_takes_no_more_is_not_pressed() -> None:
    """Once the buffer is full it is told, for the kernel to wait; and again when there is room."""
    async with plain_text_server() as server:
        end = await connect(target(server))
        link = await next_link(server)
        told: asyncio.Queue[bool] = asyncio.Queue()
        end.writable = told.put_nowait
        link.writer.transport.pause_reading()  # type: ignore[attr-defined]  # it can be read from
        sent = 0
        while told.empty():
            end.send(bytes(60_000))
            sent += 1
            assert sent < 1000
            await asyncio.sleep(0)
        assert told.get_nowait() is False
        link.writer.transport.resume_reading()  # type: ignore[attr-defined]  # as above
        assert await asyncio.wait_for(told.get(), PATIENCE_S) is True
        for _ in range(sent):
            assert len(await next_frame(link, TEXT)) == 60_000
        await end.close()


async def test_silence_ends_a_link() -> None:
    """Pings go out in their rhythm; when nothing at all comes back for the limit, it is over."""
    async with plain_text_server() as server:
        end = await connect(target(server), ping_interval_s=0.01, silence_limit_s=PATIENCE_S)
        link = await next_link(server)
        for _ in range(4):
            assert await next_frame(link, PING) == b""
        assert not end.ended.done()
        server.is_mute = True
        end._silence_limit_s = 0.01  # not before: a busy machine may be silent for any time
        async with asyncio.timeout(PATIENCE_S):
            assert "nothing was heard for 0.01 s" in str(await end.ended)


async def test_anything_heard_is_a_sign_of_life() -> None:
    """A server that answers no ping but sends packets is alive."""
    async with plain_text_server() as server:
        end = await connect(target(server), ping_interval_s=0.01, silence_limit_s=PATIENCE_S)
        link = await next_link(server)
        server.is_mute = True
        for _ in range(3):
            await next_frame(link, PING)
            heard_at_s = end._heard_at_s
            link.send(TEXT, b"E")
            async with asyncio.timeout(PATIENCE_S):
                while end._heard_at_s == heard_at_s:
                    await next_frame(link, PING)
        await end.close()


CLOSES = [
    (wire.UNREGISTERED, NodeUnregistered),
    (wire.EXPIRED, RetryLater),
    (wire.SUPERSEDED, RetryLater),
    (wire.CERTIFICATE_ENDED, RetryLater),
    (wire.STOPPING, LinkEnded),
    (wire.SERVER_LOST, LinkEnded),
    (wire.SERVER_STARTED, LinkEnded),
    (wire.NEWER_FAILED, LinkEnded),
    (wire.SILENT, LinkEnded),
    (wire.Close(wire.CloseCode.POLICY, "who knows"), LinkEnded),
    (wire.Close(wire.CloseCode.NORMAL, ""), LinkEnded),
]


@pytest.mark.parametrize(("close", "kind"), CLOSES)
async def test_a_close_frame_says_whether_to_come_back(close: wire.Close, kind: type) -> None:
    """Unregistered is for good, expired and superseded for later, all else for soon."""
    async with plain_text_server() as server:
        end = await connect(target(server))
        (await next_link(server)).close(close.code, close.reason)
        async with asyncio.timeout(PATIENCE_S):
            ended = await end.ended
        assert type(ended) is kind
        assert close.reason in str(ended)


REFUSALS = [
    (401, str(NodeUnknown()), RetryLater),
    (401, str(NodeUnknown(was_unregistered=True)), NodeUnregistered),
    (403, str(NodeUnknown(was_unregistered=True)), RetryLater),
    (404, str(NodeUnknown(was_unregistered=True)), LinkEnded),
    (403, str(NodeExpired(0, 1)), RetryLater),
    (401, str(NodeExpired(0, 1)), RetryLater),
    (403, "", RetryLater),
    (404, "no", LinkEnded),
    (503, "full", LinkEnded),
    (302, "elsewhere", LinkEnded),
    (200, "hello", LinkEnded),
]


@pytest.mark.parametrize(("status", "text", "kind"), REFUSALS)
async def test_a_refused_upgrade_says_whether_to_come_back(
    status: int, text: str, kind: type
) -> None:
    """401 and 403 are for later, but for a node that was unregistered; the sentence is passed on.

    And a redirection is not followed: the token is for this server alone.
    """
    async with plain_text_server() as server:
        server.refusal = (status, text)
        with pytest.raises(LinkEnded) as refused:
            await connect(target(server))
        assert type(refused.value) is kind
        assert text.partition(":")[0] in str(refused.value)
        assert TOKEN not in str(refused.value)
        assert server.requests == 1


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 101 Switching"])
async def test_a_server_that_says_nothing_is_given_up(said: bytes) -> None:
    """Accepting a connection is not enough; nor is half an answer."""
    over = asyncio.Event()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        with contextlib.suppress(OSError):
            await reader.read()
        writer.transport.abort()
        over.set()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(LinkEnded):
            await connect(Target("127.0.0.1", port, TOKEN, None, timeout_s=0.2))
        await asyncio.wait_for(over.wait(), PATIENCE_S)


async def test_a_port_where_nobody_listens_is_no_reason_to_stop() -> None:
    """It may be there soon."""
    async with plain_text_server() as server:
        gone = target(server)
    with pytest.raises(LinkEnded, match="no connection"):
        await connect(gone)


@pytest.mark.parametrize("host", ["no..name", "a" * 64, "192.0.2.1:6441"])
async def test_a_name_that_is_none_is_said_to_be_no_connection(host: str) -> None:
    """Whatever a server or a state folder says of where to connect, it is one kind of error."""
    with pytest.raises(LinkEnded, match="no connection: "):
        await connect(Target(host, 1, TOKEN, None))


@pytest.mark.parametrize("code", [1000, 1008, 4001])
async def test_a_close_reason_is_shown_although_tcp_stays_open(tmp_path: Path, code: int) -> None:
    """An upstream server refuses by a close frame alone: its reason is what the agent reports.

    Without it TLS would wait for the other end's close, longer than the agent waits for a link.
    """
    folder = network_folder(tmp_path / "ours", "127.0.0.1")
    tls = node_tls(node_folder(folder, tmp_path / "node")).context
    async with PlainLinkServer(server_tls(tmp_path / "ours")) as server:
        server.close = (code, "node-token is invalid")
        with pytest.raises(LinkEnded, match="the server closed the link: node-token is invalid"):
            await connect(replace(target(server, tls), timeout_s=20.0))
