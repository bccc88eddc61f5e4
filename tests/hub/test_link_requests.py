"""Requests for links, as a WebSocket server must take or refuse them (RFC 6455), and how often."""

import asyncio
import re
import socket
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from nc.hub.refusals import Refusal
from tests.support.link_client import (
    BINARY,
    CLOSE,
    PING,
    TEXT,
    Frame,
    LinkClient,
    NoUpgrade,
    frame,
    packet,
)
from tests.support.link_cluster import (
    CONNECTED,
    HASTY,
    IDLE,
    Machine,
    cluster,
    logged_events,
)
from tests.support.whole_server import MovableClock, until

DAY_MS = 24 * 60 * 60 * 1000
MARK = "Zq7wX"  # in every request, and in no answer

GOOD = {
    "Host": "server",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    "X": MARK,
}


def request(first: str = f"GET /ws?{MARK} HTTP/1.1", **changes: str | None) -> bytes:
    """A proper request with changes to its headers; None leaves one out."""
    headers = GOOD | {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [first, *(f"{name}: {value}" for name, value in headers.items() if value is not None)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


BAD = [
    (request(f"POST /ws?{MARK} HTTP/1.1"), 400),
    (request(f"GET /ws?{MARK} HTTP/1.0"), 400),
    (request(f"GET {MARK}"), 400),
    (request(f"{MARK} nonsense"), 400),
    (request(Host=None), 400),
    (request(Upgrade=None), 400),
    (request(Upgrade=MARK), 400),
    (request(Connection=None), 400),
    (request(Connection=f"keep-alive, {MARK}"), 400),
    (request(Sec_WebSocket_Key=None), 400),
    (request(Sec_WebSocket_Key=MARK), 400),
    (request(Sec_WebSocket_Version=None), 400),
    (request(Sec_WebSocket_Version="8"), 426),
    (request(Sec_WebSocket_Version="7"), 426),
    (request(Sec_WebSocket_Version=f"14{MARK}"), 426),
    (request(Content_Length=f"1{MARK}"), 400),
    (request(Transfer_Encoding=f"chunked{MARK}"), 400),
    (request(X="\x01" + MARK), 400),
    (request(X=MARK * 5000), 400),
    (request(f"GET /{MARK} HTTP/1.1"), 404),
]


async def test_what_is_no_proper_request_is_refused_and_not_echoed(data_dir: Path) -> None:
    """400, 404, or 426 with the version that is spoken; the connection ends, and each is counted.

    Also if a request comes byte by byte.
    """
    async with cluster(data_dir, plaintext=True) as here:
        for asked, status in BAD:
            for part_bytes in (len(asked), 1) if len(asked) < 1000 else (len(asked),):
                client = await LinkClient.reach(here.port)
                here.links.append(client)
                for at in range(0, len(asked), part_bytes):
                    client.send_raw(asked[at : at + part_bytes])
                    if part_bytes == 1 and at % 40 == 0:
                        await client.drain()
                        await asyncio.sleep(0)
                got, headers, body = await client.http_answer()
                assert got == status, asked
                assert MARK not in repr(headers) + body
                assert body.count("\n") == 1
                assert headers.get("sec-websocket-version") == ("13" if status == 426 else None)
                assert (await client.end()).code == 1006
        refused = here.server.hub.acceptor.refused
        expected = {400: Refusal.BAD_REQUEST, 404: Refusal.WRONG_PATH, 426: Refusal.WRONG_VERSION}
        assert set(refused) == set(expected.values())
        assert refused[Refusal.WRONG_VERSION] == 6
        assert MARK not in repr(here.lines)


FORBIDDEN = {
    "reserved bit 1": frame(BINARY, b"x", first=0xC0),
    "reserved bit 2": frame(BINARY, b"x", first=0xA0),
    "reserved bit 3": frame(PING, b"x", first=0x90),
    "not masked": frame(BINARY, b"x", mask=None),
    "an unknown opcode": frame(3, b"x"),
    "an unknown control opcode": frame(11, b"x"),
    "a control frame in parts": frame(PING, b"x", first=0),
    "a control frame of 126 bytes": frame(PING, bytes(126)),
    "a close code that is none": frame(CLOSE, (1005).to_bytes(2)),
    "half a close code": frame(CLOSE, b"\x03"),
    "a length in more bytes than it takes": b"\x82\xfe\x00\x05abcd12345",
}


@pytest.mark.parametrize("violation", FORBIDDEN)
async def test_what_the_protocol_forbids_ends_the_link(data_dir: Path, violation: str) -> None:
    """With 1002 (RFC 6455, 7.4.1); nothing behind it is forwarded, and the node is IDLE."""
    async with cluster(data_dir, plaintext=True) as here:
        machine, other = [await here.enrol() for _ in range(2)]
        (client, address), (peer, to) = [await here.connect(each) for each in (machine, other)]
        behind = frame(TEXT, packet(address, to, b"behind it"))
        client.send_raw(FORBIDDEN[violation] + behind)
        assert (await client.end()).code == 1002
        await here.becomes(machine, IDLE)
        again, _ = await here.connect(machine)
        again.send(packet(address, to, b"later"))
        assert (await peer.receive()) == Frame(TEXT, packet(address, to, b"later"))


def tls_1_2(machine: Machine, ciphers: str | None = None) -> ssl.SSLContext:
    """The node's identity, for TLS 1.2 alone."""
    context = machine.tls
    assert context is not None
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    if ciphers is not None:
        context.set_ciphers(ciphers)
    return context


def ask(
    port: int, machine: Machine, context: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> tuple[ssl.SSLSession | None, bool, bytes]:
    """Ask for a link; the session, whether it was resumed, and how the answer begins."""
    with (
        socket.create_connection(("127.0.0.1", port), 30) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1", session=session) as tls,
    ):
        tls.sendall(
            request(node_token=machine.token, Sec_WebSocket_Protocol="nc.offload.1", X=None)
        )
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += tls.recv(4096)
        body = re.search(rb"content-length: (\d+)", answer, re.IGNORECASE)
        while body and len(answer.partition(b"\r\n\r\n")[2]) < int(body[1]):
            answer += tls.recv(4096)
        return tls.session, bool(tls.session_reused), answer


async def test_a_resumed_session_brings_no_certificate_back(data_dir: Path) -> None:
    """TLS looks at no dates when it resumes; the upgrade does. Nor may an unregistered node."""
    clock = MovableClock()
    async with cluster(data_dir, clock=clock) as here:
        machine, gone = [await here.enrol() for _ in range(2)]
        sessions = {}
        for one in (machine, gone):
            sessions[one], _, answer = await asyncio.to_thread(ask, here.port, one, tls_1_2(one))
            assert answer.startswith(b"HTTP/1.1 101")
            assert sessions[one] is not None
        await here.unregister(gone)
        clock.ahead_ms = 366 * DAY_MS
        _, was_resumed, answer = await asyncio.to_thread(
            ask, here.port, machine, tls_1_2(machine), sessions[machine]
        )
        assert was_resumed  # else this test tests nothing
        assert answer.startswith(b"HTTP/1.1 403")
        assert b"this node's certificate ended at " in answer
        assert b"; join again with a new bootstrap token" in answer  # GetToken's nodes do not renew
        clock.ahead_ms = 0
        _, was_resumed, answer = await asyncio.to_thread(
            ask, here.port, gone, tls_1_2(gone), sessions[gone]
        )
        assert was_resumed
        assert answer.startswith(b"HTTP/1.1 401")
        assert here.server.hub.acceptor.refused == {
            Refusal.CERTIFICATE_ENDED: 1,
            Refusal.BAD_TOKEN: 1,
        }


async def test_no_suite_with_cbc_is_spoken(data_dir: Path) -> None:
    """TLS 1.2 with GCM and ChaCha20 alone."""
    async with cluster(data_dir) as here:
        machine = await here.enrol()
        for suite in ("ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA384"):
            with pytest.raises(OSError, match=r"(?i)handshake failure|eof|reset"):
                await asyncio.to_thread(ask, here.port, machine, tls_1_2(machine, suite))
        for suite in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"):
            _, _, answer = await asyncio.to_thread(ask, here.port, machine, tls_1_2(machine, suite))
            assert answer.startswith(b"HTTP/1.1 101")


async def test_a_link_ends_with_the_certificate_that_was_shown_on_it(data_dir: Path) -> None:
    """Closed with 1008 and the reason, which the log has, too; another's link stays."""
    clock = MovableClock()
    clock.stepped_ms = -10 * DAY_MS
    limits = replace(HASTY, silence_timeout_s=3.0)  # certificates are looked at 30 times in it
    async with cluster(data_dir, clock=clock, limits=limits) as here:
        older = await here.enrol()
        clock.stepped_ms, here.bootstrap_token = 0, ""
        # The server sees the step before time passes, or it doubts its clock for a minute after.
        await until(lambda: here.server.hub._heartbeat._watch.steps > 0)
        newer = await here.enrol()
        (first, _), (second, _) = [await here.connect(each) for each in (older, newer)]
        ends = [asyncio.create_task(client.end()) for client in (first, second)]
        clock.ahead_ms = 360 * DAY_MS
        closed = await ends[0]
        assert closed.code == 1008
        assert closed.reason.startswith("the node's certificate has ended; renew it, or join")
        await here.becomes(older, IDLE)
        assert here.moves(older)[-1] == ("IDLE", "certificate_ended")
        assert here.state(newer) is CONNECTED
        assert older.tls is not None  # and the server may have renewed its own by its clock
        older.tls.check_hostname, older.tls.verify_mode = False, ssl.CERT_NONE
        refused = await LinkClient.refusal(here.port, older.token, older.tls)
        assert refused.reason.startswith("this node's certificate ended at ")
        assert not ends[1].done()
        await second.vanish()
        await ends[1]


async def test_a_node_that_links_in_a_loop_is_slowed_down(data_dir: Path) -> None:
    """Beyond a burst it is told when to come back, and nothing is recorded; others link at once."""
    clock = MovableClock()
    limits = replace(HASTY, links_at_once=3, link_interval_s=60.0)
    async with cluster(data_dir, clock=clock, limits=limits, plaintext=True) as here:
        machine, other = [await here.enrol() for _ in range(2)]
        for _ in range(3):
            await here.connect(machine)
        await until(lambda: len(here.server.hub.sockets) == 1)
        recorded = len(logged_events(here.server.folder.log))
        for _ in range(20):
            with pytest.raises(NoUpgrade, match="503: this node opens links too often") as refusal:
                await here.open(machine)
            assert re.search(r"try again in [0-9.]+ s", refusal.value.body)
        assert len(logged_events(here.server.folder.log)) == recorded
        assert here.state(machine) is CONNECTED  # by the link that it has
        await here.connect(other)
        clock.ahead_ms = 61_000
        await here.connect(machine)
        with pytest.raises(NoUpgrade):
            await here.open(machine)
        assert here.server.hub.acceptor.refused == {Refusal.TOO_OFTEN: 21}


async def test_lines_of_a_loop_are_a_sample(data_dir: Path) -> None:
    """Some, and then one in an interval, which says how many were left out before it."""
    clock = MovableClock()
    limits = replace(HASTY, lines_at_once=2, line_interval_s=60.0)
    async with cluster(data_dir, clock=clock, limits=limits, plaintext=True) as here:
        machine = await here.enrol()
        for _ in range(5):
            await LinkClient.refusal(here.port, "0" * 16, None)
            client, _ = await here.connect(machine)
            await client.vanish()
            await here.becomes(machine, IDLE)
        for event in ("link.refused", "link.opened", "link.closed"):
            assert len(here.lines.named(event)) == 2
        clock.ahead_ms = 61_000
        await LinkClient.refusal(here.port, "0" * 16, None)
        await here.connect(machine)
        for event in ("link.refused", "link.opened"):
            assert [line.get("left_out") for line in here.lines.named(event)] == [None, None, 3]
