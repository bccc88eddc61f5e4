"""The watch over addresses and routes: what wakes it, and how it meets a program that fights it."""

import asyncio
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.net import watch as watch_module
from nc.net.watch import FIRST_PAUSE_S, LONGEST_PAUSE_S, QUIET_S, Pauses, concerns_us, watch

NEWROUTE, DELROUTE, DELADDR, NEWLINK, NEWNEIGH = 24, 25, 21, 16, 28


def message(kind: int, body: bytes = b"") -> bytes:
    """A netlink message, padded to whole words."""
    whole = struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body
    return whole + bytes(-len(whole) % 4)


@given(st.lists(st.tuples(st.sampled_from([NEWROUTE, NEWNEIGH]), st.binary(max_size=9))))
def test_what_cannot_have_removed_anything_is_ignored(others: list[tuple[int, bytes]]) -> None:
    """And among it what can is found, wherever it is."""
    noise = b"".join(message(kind, body) for kind, body in others)
    assert not concerns_us(noise)
    for kind in (DELROUTE, DELADDR, NEWLINK):
        assert concerns_us(noise + message(kind, b"x") + noise)


@given(st.binary(max_size=80))
def test_any_bytes_are_read_to_their_end(datagram: bytes) -> None:
    """A length of zero does not hold the loop."""
    concerns_us(datagram)


@given(st.lists(st.integers(0, int(2 * QUIET_S)), min_size=1, max_size=30))
def test_pauses_double_in_a_fight_and_begin_again_after_quiet(gaps: list[int]) -> None:
    """Between first and longest; after a long quiet the first again."""
    pauses, now_s, before = Pauses(), 0.0, 0.0
    for gap in gaps:
        now_s += gap
        pause = pauses.next_s(now_s)
        is_first = before == 0.0 or gap >= QUIET_S
        assert pause == (FIRST_PAUSE_S if is_first else min(2 * before, LONGEST_PAUSE_S))
        before = pause


async def test_a_passing_lack_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Out of descriptors, the watch goes on, and restores when it can."""
    monkeypatch.setattr(watch_module, "FIRST_PAUSE_S", 0.0)
    calls: list[int] = []
    restored: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()

    async def restore() -> list[str]:
        calls.append(1)
        if len(calls) == 1:
            raise OSError(24, "Too many open files")
        return ["a route"]

    kernel, notifications = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    notifications.setblocking(False)
    monkeypatch.setattr(watch_module, "_subscribe", lambda: notifications)
    kernel.send(message(DELROUTE))
    watching = asyncio.create_task(watch(restore, lambda what, _: restored.set_result(what)))
    async with asyncio.timeout(60):
        assert await restored == ["a route"]
    watching.cancel()
    kernel.close()
