"""What the simulation does not blame servers for: each was taken for a broken law once."""

import asyncio
import contextlib

from nc.clock import SystemClock
from nc.testing.contract.judgement import judge
from nc.testing.contract.laws import CLUSTER_LAWS
from nc.testing.contract.operations import IssueToken
from nc.testing.seeded_random import SeededRandom
from nc.testing.simulation.actions import Call, Plan
from nc.testing.simulation.data import Data
from nc.testing.simulation.log_view import LogView
from nc.testing.simulation.loop import SimulatedLoop
from nc.testing.simulation.outages import KillServer
from nc.testing.simulation.playing import play
from nc.testing.simulation.quarrels import LOG, Cut
from nc.testing.simulation.shared_log import Message, SharedLog, Trouble, next_record

CLOCK = SystemClock()
MESSAGES = 100


def test_a_log_that_lags_comes_no_slower_for_that() -> None:
    """Whoever was cut off has read all that it missed once each message has had its delay."""
    with contextlib.closing(SimulatedLoop()) as loop:
        loop.run_until_complete(_read_late())
        assert loop.time() < 5


async def _read_late() -> None:
    shared = SharedLog(SeededRandom("lag"), lambda _: False)
    for number in range(MESSAGES):
        record = next_record(*shared.end, b"", 0, number)
        shared.messages.append(Message("writer", number, record))
    shared.troubles[Trouble.LATE_LOG] = 1
    view = LogView(shared, "reader", Data().open_copy(CLOCK, bytes), CLOCK.now_ns)
    reading = asyncio.create_task(view.run())
    while view.records < MESSAGES:  # noqa: ASYNC110 - in virtual time
        await asyncio.sleep(0.1)
    reading.cancel()


def test_commands_may_wait_for_servers_that_the_log_does_not_know() -> None:
    """Both followers are lost when the leader dies: for 66 s of silence neither stands.

    Longer than commands may be refused after any other fault.
    """
    ways = ((0, LOG), (1, LOG), (0, 1), (0, 2), (1, 2))
    actions = (
        *(Cut(20_000, 20, replica, other) for replica, other in ways),
        KillServer(39_000, 100, replica=2),  # it leads since the others are cut off
        Call(80_000, IssueToken("token", 10)),
        Call(170_000, IssueToken("later token", 10)),
    )
    chronicle = play(Plan(1, "10.1.1.1/24", is_shared=True, actions=actions))
    assert judge(chronicle, CLUSTER_LAWS).breaches == []
    assert [step.answer is None for step in chronicle.steps[:2]] == [True, False]
