"""Packets that are there at the same time: in one frame, and yet others get their turn."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from nc.net import wire
from tests.support import shared_frames
from tests.support.link_client import BINARY, packet
from tests.support.link_cluster import HASTY, cluster
from tests.support.namespaces import require_namespaces
from tests.support.shared_frames import AFTER, BEFORE
from tests.support.whole_server import until

ROOT = Path(__file__).parents[2]

# What is read at once, a TLS record, and what may be left of one before it.
MOST_IN_A_TURN_BYTES = 2 * 16 * 1024


def test_packets_that_wait_in_the_device_come_in_one_frame() -> None:
    """In their order, none lost; what is not IPv4 comes alone, since no frame could be split there.

    Fewer frames than packets, and each is said to hold as many as it does.
    """
    require_namespaces()
    done = subprocess.run(
        [str(shutil.which("unshare")), "--net", sys.executable, shared_frames.__file__],
        capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    frames = [
        (count, bytes.fromhex(text))
        for count, text in map(json.loads, done.stdout.split("\n")[:-1])
    ]
    ours: list[tuple[int, bytes]] = []
    others: list[tuple[int, bytes]] = []
    for count, frame in frames:
        (ours if frame[10] >> 4 == 4 else others).append((count, frame))
    packets = [bytes(one) for _, frame in ours for one in wire.packets(frame)]
    assert [int.from_bytes(one[38:40]) for one in packets] == list(range(BEFORE + AFTER))
    assert [count for count, _ in ours] == [len(list(wire.packets(frame))) for _, frame in ours]
    assert [count for count, _ in others] == [1]
    assert len(ours) < (BEFORE + AFTER) / 10


async def test_a_link_that_floods_leaves_others_their_turn(data_dir: Path) -> None:
    """However much waits, one turn of the event loop takes so many bytes of it and no more."""
    async with cluster(data_dir) as here:
        offer = {"Sec-WebSocket-Protocol": wire.OFFLOAD}
        machine = await here.enrol()
        client, address = await here.connect(machine, **offer)
        (link,) = here.server.hub.sessions.values()
        loop, taken_bytes, before = asyncio.get_running_loop(), [0], 0

        def look() -> None:
            nonlocal before
            taken_bytes.append(link.port.bytes_in - before)
            before = link.port.bytes_in
            looking = loop.call_soon(look)
            if before == 200 * 500 * len(content):
                looking.cancel()

        content = packet(address, "10.1.1.1", bytes(40))
        for _ in range(200):
            client.send((wire.PLAIN_VNET_HEADER + content) * 500, BINARY)
        look()
        await until(lambda: link.port.packets_in == 200 * 500)
        assert max(taken_bytes) <= MOST_IN_A_TURN_BYTES


async def test_many_silent_links_leave_others_their_turn(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two turns so many of them are looked at and no more, and yet each in every round."""
    monkeypatch.setattr("nc.hub.heartbeat.LINKS_PER_TURN", 1)
    limits = replace(HASTY, silence_timeout_s=9.0)
    async with cluster(data_dir, plaintext=True, limits=limits) as here:
        for _ in range(4):
            await here.connect(await here.enrol())
        links = list(here.server.hub.sessions.values())
        first = before = [link.idle_ticks for link in links]  # the older have been idle for longer
        looks, most = [0], 0
        while min(looks) < 3:
            await asyncio.sleep(0)
            now = [link.idle_ticks for link in links]
            most = max(most, sum(a != b for a, b in zip(before, now, strict=True)))
            before = now
            looks = [a - b for a, b in zip(now, first, strict=True)]
        assert (most, max(looks) - min(looks) <= 1) == (1, True)
