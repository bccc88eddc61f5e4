"""Connections of one address in great number: those of others, and its own in use, stay."""

import asyncio
import contextlib
import socket
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from nc.rpc.queue.crowds import equal_share
from tests.fuzz.raw_http2 import DATA, END_STREAM, Peer, frame, headers
from tests.support.queue_server import PATIENCE_S, UNARY, Serving, serving, unary

CROWD = "127.0.0.2"
SILENT, MOST = 100, 40
LEFT = MOST * 2 // 3


def connected(running: Serving) -> socket.socket:
    source = (CROWD, 0)
    return socket.create_connection(("127.0.0.1", running.port.number), PATIENCE_S, source)


def has_ended(peer: socket.socket) -> bool:
    peer.setblocking(False)
    try:
        while peer.recv(1024):  # the server's settings
            pass
    except BlockingIOError:
        return False
    except ConnectionResetError:
        pass
    return True


def called(peer: Peer, stream: int) -> bool:
    """Call on a connection; whether it was answered."""
    peer.socket.sendall(headers(stream, UNARY.encode()))
    peer.socket.sendall(frame(DATA, bytes(5), END_STREAM, stream))
    return bool(peer.end_of(stream))


async def test_a_crowd_loses_its_silent_connections() -> None:
    """One address keeps as many as there is room for, those first on which most has come."""
    ended = Counter[str]()

    def report(party: str, count: int) -> None:
        ended[party] += count

    crowd = serving(connections=MOST, report_crowd=report)
    async with crowd as running, running.channel() as channel:
        assert await unary(channel) == b"x"
        with contextlib.ExitStack() as stack:
            silent = [stack.enter_context(connected(running)) for _ in range(SILENT // 2)]
            peer = Peer(stack.enter_context(connected(running)))
            assert await asyncio.to_thread(called, peer, 1)
            silent += [stack.enter_context(connected(running)) for _ in range(SILENT // 2)]
            # A look before the last ones came leaves room, so that those may stay.
            await running.until(lambda: SILENT - sum(map(has_ended, silent)) <= MOST)
            assert await asyncio.to_thread(called, peer, 3)
            assert await unary(channel) == b"x"
            assert len(running.gate.admitted) == 4
            await running.until(lambda: ended == {CROWD: sum(map(has_ended, silent))})
            # beside that of the address which is in use, and that of the other one
            assert SILENT - ended[CROWD] >= LEFT - 2
        async with running.channel() as later:
            assert await unary(later) == b"x"


@given(st.lists(st.integers(1, 50)), st.integers(-5, 200))
def test_a_share_leaves_no_more_than_there_is_room_for(counts: list[int], room: int) -> None:
    """And as much of it as can be; nobody loses all."""
    share = equal_share(counts, room)

    def kept(each: int) -> int:
        return sum(min(count, each) for count in counts)

    assert share >= 1
    assert kept(share) <= room or share == 1
    assert share >= max(counts, default=1) or kept(share + 1) > room
