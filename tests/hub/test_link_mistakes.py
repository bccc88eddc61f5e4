"""Every mistake that the link's contract lists, made over a real connection."""

import asyncio
import ssl
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nc.agent.connecting import connect
from nc.agent.connection import Target
from nc.agent.link_errors import LinkEnded
from nc.clock_watch import difference_text
from nc.hub.refusals import Refusal
from tests.support.link_client import (
    BINARY,
    CONTINUATION,
    HELLO,
    TEXT,
    LinkClient,
    NoUpgrade,
    frame,
    packet,
)
from tests.support.link_cluster import CONNECTED, HASTY, IDLE, cluster
from tests.support.whole_server import MovableClock, until

SAID_NOTHING = (ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)


async def test_without_a_certificate_of_ours_there_is_no_tls(
    data_dir: Path, tmp_path: Path
) -> None:
    """No certificate, and one of another network, do not get as far as to ask; both are counted."""
    async with (
        cluster(data_dir) as here,
        cluster(tmp_path / "elsewhere") as elsewhere,
    ):
        machine, foreign = await here.enrol(), await elsewhere.enrol()
        assert foreign.tls is not None
        for context in (ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), foreign.tls):
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with pytest.raises(SAID_NOTHING):
                await LinkClient.connect(here.port, machine.token, context)
        await until(lambda: here.server.hub.acceptor.refused == {Refusal.NO_TLS: 2})
        assert not here.server.hub.sessions
        assert here.moves(machine) == []


@pytest.mark.parametrize("is_ours", [True, False])
async def test_a_token_that_is_no_good_opens_nothing(data_dir: Path, is_ours: bool) -> None:
    """One sentence, without a token in it: 401 or 403 to a client that offers our subprotocol.

    To any other, as the contract has it, the upgrade, and close 1008 before anything else is read.
    """
    clock = MovableClock()
    offer = {"Sec-WebSocket-Protocol": "nc.offload.1"} if is_ours else {}
    async with cluster(data_dir, clock=clock) as here:
        machine, other, expired, gone = [await here.enrol() for _ in range(4)]
        await here.expire(expired, 1)
        await here.unregister(gone)
        for token, tls, status, words in (
            (None, machine.tls, 401, "the node token is empty"),
            ("", machine.tls, 401, "the node token is empty"),
            ("0" * 16, machine.tls, 401, "unknown"),
            (gone.token, gone.tls, 401, "the node was unregistered, "),
            (here.bootstrap_token, machine.tls, 401, "unknown"),
            ("reserverd", machine.tls, 401, "unknown"),
            ("\xff" * 4000, machine.tls, 401, "unknown"),
            (expired.token, expired.tls, 403, "expired at"),
            (other.token, machine.tls, 403, "not that of this certificate's node"),
            (expired.token, machine.tls, 403, "not that of this certificate's node"),
        ):
            if is_ours:
                with pytest.raises(NoUpgrade) as refusal:
                    await LinkClient.connect(here.port, token, tls, **offer)
                assert refusal.value.status == status, refusal.value
                assert refusal.value.body.count("\n") == 1
                said = refusal.value.body
            else:
                closed = await LinkClient.refusal(here.port, token, tls)
                assert closed.code == 1008
                said = closed.reason
            assert words in said
            assert not token or token not in said
        assert not here.replica.state.links
        assert not here.lines.named("link.crashed")
        assert here.server.hub.acceptor.refused == {
            Refusal.BAD_TOKEN: 7,
            Refusal.TOKEN_EXPIRED: 1,
            Refusal.FOREIGN_CERTIFICATE: 2,
        }


async def test_a_refusal_tells_the_servers_time(data_dir: Path) -> None:
    """In the Date header (RFC 9110), since the client's clock may be what is wrong."""
    clock = MovableClock()
    clock.stepped_ms = 400 * 86_400_000
    async with cluster(data_dir, clock=clock, plaintext=True) as here:
        await here.enrol()
        refused: list[LinkEnded] = []
        for token in ("0" * 16, ""):
            with pytest.raises(LinkEnded) as ended:
                await connect(Target("127.0.0.1", here.port, token, None))
            refused.append(ended.value)
        for each in refused:
            assert each.server_time is not None
            ahead = difference_text(datetime.now(UTC), each.server_time)
            assert ahead == "this machine's clock is 400 days behind the server's"


async def test_what_is_no_request_for_a_link_is_none(data_dir: Path) -> None:
    """Another path, another method, no upgrade: an HTTP answer, and the connection ends."""
    async with cluster(data_dir) as here:
        machine = await here.enrol()
        client = await LinkClient.reach(here.port, machine.tls)
        here.links.append(client)
        with pytest.raises(NoUpgrade, match="404: links are at /ws"):
            await client.upgrade(machine.token, path="/")
        start = f"/ws HTTP/1.1\r\nnode-token: {machine.token}\r\n"
        for request in (f"POST {start}\r\n", f"GET {start}\r\n", "nonsense\r\n\r\n"):
            client = await LinkClient.reach(here.port, machine.tls)
            here.links.append(client)
            client.send_raw(request.encode())
            assert (await client.http_answer())[0] == 400
            assert (await client.end()).code == 1006
        client = await LinkClient.reach(here.port, machine.tls)
        here.links.append(client)
        await client.upgrade(machine.token, path="/ws?version=1")
        assert await client.hand_shake() == "10.1.1.3/24"


async def test_a_connection_header_may_be_a_list(data_dir: Path) -> None:
    """`Connection: keep-alive, Upgrade` asks for an upgrade (RFC 6455, 4.2.1)."""
    async with cluster(data_dir, plaintext=True) as here:
        machine = await here.enrol()
        client = await LinkClient.reach(here.port)
        here.links.append(client)
        client.send_raw(
            b"GET /ws HTTP/1.1\r\nHost: x\r\n"
            b"Upgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            b"Node-Token: " + machine.token.encode() + b"\r\n\r\n"
        )
        assert (await client.http_answer())[0] == 101
        assert await client.hand_shake() == "10.1.1.3/24"


@pytest.mark.parametrize("in_time", [True, False])
async def test_a_first_frame_that_is_no_hello(data_dir: Path, in_time: bool) -> None:
    """Something else, or nothing in time: 1008 with the reason, and back to IDLE."""
    limits = HASTY if in_time else replace(HASTY, hello_timeout_s=0.3)
    no_hellos = {
        packet("10.1.1.3", "10.1.1.5"): "the first frame must be JSON",
        b'{"connectionState":1,"payload":null}': "the first frame must have connectionState 2",
        b" " * 60_000 + HELLO: "a handshake frame holds 1024 bytes at the most",
    }
    async with cluster(data_dir, limits=limits) as here:
        machine = await here.enrol()
        says_nothing = {None: "no handshake came within the time for it"}
        for hello, reason in no_hellos.items() if in_time else says_nothing.items():
            client = await here.open(machine)
            if hello is not None:
                client.send(hello)
            closed = await client.end()
            assert (closed.code, closed.reason) == (1008, reason)
            await here.becomes(machine, IDLE)
            moves = here.moves(machine)[-2:]
            assert moves == [("INIT", "link_accepted"), ("IDLE", "link_refused")]
        assert here.replica.state.addresses.address_of(machine.node_id) == ""
        assert not here.server.hub.handshakes


async def test_a_frame_that_is_too_large_ends_the_link(data_dir: Path) -> None:
    """65,536 bytes are taken; one more, or a length beyond all reason, is 1009."""
    async with cluster(data_dir) as here:
        machine = await here.enrol()
        drops = here.server.hub.switch.drops
        for head in (frame(BINARY, bytes(65_537)), b"\x82\xff" + b"\x7f" + b"\xff" * 7 + b"mask"):
            client, _ = await here.connect(machine)
            client.send(bytes(65_536))
            seen = drops.total()
            await until(lambda seen=seen: drops.total() > seen)  # type: ignore[misc]  # bound here
            client.send_raw(head)
            assert (await client.end()).code == 1009
            await here.becomes(machine, IDLE)
        assert drops == {"not_ipv4": 2}  # what is refused is not looked at


async def test_what_is_no_packet_of_the_node_is_dropped_and_the_link_lives_on(
    data_dir: Path,
) -> None:
    """Each reason is counted, for the sender; what is right before and after it arrives."""
    async with cluster(data_dir) as here:
        machine, other = [await here.enrol() for _ in range(2)]
        (one, _), (two, _) = [await here.connect(m) for m in (machine, other)]
        good = packet("10.1.1.3", "10.1.1.5", b"good")
        one.send(good)
        for bad in (
            b"",
            good[:19],
            good[:-1],
            b"\x60" + good[1:],
            packet("10.1.1.5", "10.1.1.5"),
            packet("10.1.1.3", "10.1.1.99"),
            packet("10.1.1.3", "10.1.1.1"),
            packet("10.1.1.3", "192.0.2.1"),
        ):
            one.send(bad)
        one.send_raw(frame(TEXT, good, first=0))
        one.send_raw(frame(CONTINUATION, good))
        one.send(good)
        assert [await two.packet(), await two.packet()] == [good, good]
        (link,) = (n for n in here.server.hub.sessions.values() if n.node_id == machine.node_id)
        expected = {
            "truncated": 3,
            "not_ipv4": 1,
            "wrong_source": 1,
            "nobody_there": 1,
            "no_uplink": 1,
            "not_allowed": 1,
            "fragmented": 2,
        }
        assert link.port.drops == here.server.hub.switch.drops == expected
        assert here.state(machine) is CONNECTED


async def test_packets_before_the_address_go_nowhere(data_dir: Path) -> None:
    """What is sent along with the hello is dropped and counted, whatever source it claims."""
    async with cluster(data_dir) as here:
        other, _ = await here.connect(await here.enrol())
        client = await here.open(await here.enrol())
        early = packet("10.1.1.5", "10.1.1.3", b"early")
        client.send_raw(frame(TEXT, HELLO) + frame(TEXT, early) + frame(TEXT, early))
        opcode, answer = await client.receive()
        assert (opcode, answer[:20]) == (TEXT, b'{"connectionState":2')
        assert here.server.hub.switch.drops == {"too_early": 2}
        client.send(packet("10.1.1.5", "10.1.1.3", b"in time"))
        assert (await other.packet())[20:] == b"in time"
