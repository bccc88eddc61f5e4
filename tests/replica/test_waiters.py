"""Waiting for the next change."""

import asyncio

from nc.replica.waiters import Waiters


async def test_nothing_is_kept_of_those_that_gave_up() -> None:
    """At a server that is cut off each question does, and nothing changes there for hours."""
    waiters = Waiters()
    staying = asyncio.create_task(waiters.wait())
    leaving = [asyncio.create_task(waiters.wait()) for _ in range(9)]
    await asyncio.sleep(0)
    assert len(waiters) == 10
    for task in leaving:
        task.cancel()
    await asyncio.wait(leaving)
    assert len(waiters) == 1
    waiters.wake()
    await staying
    assert len(waiters) == 0
