"""The player in a terminal that is no terminal: keys in, and what is on the screen."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from textual.pilot import Pilot
from textual.widgets import Input

from nc.cli.log.player import LogPlayer, PlayerSource
from nc.cli.log.player_nodes import NodeTable
from nc.domain.codec.records import Recorded
from nc.history.player import AS_FAST_AS_IT_GOES, Player, recording_of
from tests.support.replica_bench import ManualClock

SECOND_NS = 1_000_000_000
SIZE = (130, 40)

Progress = Callable[[int], None]


@asynccontextmanager
async def watching(
    events: list[Recorded],
    *,
    speed: float = AS_FAST_AS_IT_GOES,
    playing: bool = False,
    node_id: str | None = None,
    size: tuple[int, int] = SIZE,
) -> AsyncIterator[tuple[Pilot[None], ManualClock]]:
    """The player, once it has read the events."""

    def load(progress: Progress) -> Player:
        past = recording_of(events, progress=progress)
        player = Player(past, range(len(events) + 1), speed=speed)
        return player.toggled() if playing else player

    clock = ManualClock()
    app = LogPlayer(PlayerSource("a log", len(events), load, node_id), clock)
    async with app.run_test(size=size) as pilot:
        await app.workers.wait_for_complete()
        await pilot.pause()
        yield pilot, clock


def player_of(pilot: Pilot[None]) -> Player:
    app = pilot.app
    assert isinstance(app, LogPlayer)
    assert app.player is not None
    return app.player


async def screen(pilot: Pilot[None]) -> str:
    await pilot.pause()
    strips = pilot.app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips)


async def table(pilot: Pilot[None]) -> list[list[str]]:
    """What is in sight of the table of nodes, words by line."""
    region = pilot.app.query_one(NodeTable).region
    lines = (await screen(pilot)).splitlines()[region.y : region.bottom]
    return [line[: region.width].split() for line in lines if line.strip()]


def name_of(node_id: str) -> str:
    """The name of a node that told no hostname."""
    return f"node-{node_id[:8]}"


async def go_to(pilot: Pilot[None], text: str) -> None:
    await ask(pilot, "g", text)


async def ask(pilot: Pilot[None], key: str, text: str) -> None:
    """Type a text where the key asks for it."""
    await pilot.press(key)
    pilot.app.screen.query_one(Input).value = text
    await pilot.press("enter")


def tick(pilot: Pilot[None], clock: ManualClock, ns: int) -> None:
    clock.ns += ns
    assert isinstance(pilot.app, LogPlayer)
    pilot.app._tick()
