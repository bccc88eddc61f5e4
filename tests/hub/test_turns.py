"""Links that are much work are read one after the other; bulk and quiet links are not held up."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from nc.hub.turns import MUCH_WORK, Turns
from tests.support.link_client import BINARY, frame, packet
from tests.support.link_cluster import Cluster, cluster
from tests.support.whole_server import until


@dataclass(eq=False)
class Link:
    """A link that says when it is read."""

    name: int
    turn: Callable[[], int]
    read: list[tuple[int, int]]
    is_paused: bool = field(default=False)

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False
        self.read.append((self.turn(), self.name))


async def test_one_in_a_turn_of_the_loop_and_in_order() -> None:
    """However many wait: none twice before all others, and none for ever."""
    turns, loop = Turns(), asyncio.get_running_loop()
    turn = 0
    read: list[tuple[int, int]] = []

    def count() -> None:
        nonlocal turn
        turn += 1
        if turn < 20:
            loop.call_soon(count)

    links = [Link(name, lambda: turn, read) for name in range(5)]
    loop.call_soon(count)
    for link in (*links, *links):
        turns.wait(link)
    await asyncio.sleep(0)
    assert sum(link.is_paused for link in links) == 4
    for _ in range(3):
        await asyncio.sleep(0)
    turns.wait(links[0])  # it is busy again, and comes last
    for _ in range(20):
        await asyncio.sleep(0)
    assert [name for _, name in read] == [0, 1, 2, 3, 4, 0]
    assert len({at for at, _ in read}) == len(read)
    assert not any(link.is_paused for link in links)


def count_turns(here: Cluster, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The links that had to wait for their turn, as they do."""
    waited: list[Any] = []
    wait = here.server.hub.turns.wait

    def note(link: Any) -> None:
        waited.append(link)
        wait(link)

    monkeypatch.setattr(here.server.hub.turns, "wait", note)
    return waited


@pytest.mark.parametrize("plaintext", [False, True])
async def test_links_that_flood_take_turns_and_lose_nothing(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, plaintext: bool
) -> None:
    """Each of many small packets arrives, in its order, from every link."""
    async with cluster(data_dir, plaintext=plaintext) as here:
        (peer, to), *floods = [await here.connect(await here.enrol()) for _ in range(4)]
        waited = count_turns(here, monkeypatch)
        count = 20 * MUCH_WORK
        for client, address in floods:
            packets = (packet(address, to, number.to_bytes(4)) for number in range(count))
            client.send_raw(b"".join(frame(BINARY, each) for each in packets))
        got: dict[bytes, list[int]] = {}
        for _ in range(count * len(floods)):
            each = await peer.packet()
            got.setdefault(each[12:16], []).append(int.from_bytes(each[20:24]))
        assert list(got.values()) == [list(range(count))] * len(floods)
        assert {link.node_id for link in waited} == {
            link.node_id for link in here.server.hub.sessions.values() if link.port.packets_in
        }


async def test_bulk_data_waits_for_no_turn(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame of 64 KiB is one packet, and little work."""
    async with cluster(data_dir) as here:
        client, address = await here.connect(await here.enrol())
        waited = count_turns(here, monkeypatch)
        (link,) = here.server.hub.sessions.values()
        large = packet(address, "10.1.1.99", bytes(60_000))
        for _ in range(30):
            client.send(large)
            await client.drain()
        await until(lambda: link.port.packets_in == 30)
        assert waited == []
