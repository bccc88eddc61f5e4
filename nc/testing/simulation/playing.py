"""Playing a plan: a cluster on a loop of its own, from its beginning to the end."""

import asyncio
import gc
from typing import Any, Final

from eventlog.testing import PowerLoss
from nc.testing.simulation.acts import Plan
from nc.testing.simulation.chronicle import Chronicle
from nc.testing.simulation.cluster import Cluster
from nc.testing.simulation.laws import NOTHING_CRASHES
from nc.testing.simulation.life import live
from nc.testing.simulation.loop import SimulatedLoop
from nc.testing.simulation.network import in_place_of_sockets

_LAST_TURNS: Final = 5  # seconds in which what was ended lets go

# picows keeps an exception with this text to itself when a dial is given up at the same time.
_DIAL_GIVEN_UP: Final = "websocket handshake timeout"


def play(plan: Plan) -> Chronicle:
    """Play a plan from its beginning to the end, when all is well again; its chronicle."""
    loop = SimulatedLoop()
    was_collecting = gc.isenabled()
    gc.disable()  # what it collects must not depend on what was there before
    try:
        return loop.run_until_complete(_play(plan, loop))
    finally:
        _let_go(loop)
        loop.close()
        if was_collecting:
            gc.enable()


async def _play(plan: Plan, loop: SimulatedLoop) -> Chronicle:
    cluster = Cluster(plan, loop)

    def failed(_loop: object, context: dict[str, Any]) -> None:
        error = context.get("exception")
        is_given_up = isinstance(error, TimeoutError) and str(error) == _DIAL_GIVEN_UP
        if not (is_given_up or isinstance(error, PowerLoss)):
            cluster.saw(NOTHING_CRASHES, f"{context['message']}: {error!r}", holds=False)

    loop.set_exception_handler(failed)
    with in_place_of_sockets(cluster.network):
        await live(cluster)
        cluster.finish()
        cluster.end()
        for _ in range(_LAST_TURNS):
            await asyncio.sleep(1)
    return cluster.chronicle


def _let_go(loop: SimulatedLoop) -> None:
    """End what is left: much, if somebody has interrupted the play."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks, timeout=_LAST_TURNS))
