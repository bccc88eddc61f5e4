"""Waiting for one of several things."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def is_first(future: "asyncio.Future[Any]", other: Coroutine[Any, Any, object]) -> bool:
    """Wait for one of the two; whether the future is done then. The other is cancelled."""
    waiting = asyncio.create_task(other)
    try:
        await asyncio.wait((future, waiting), return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancel(waiting)
    return future.done()


async def either(one: asyncio.Event, other: asyncio.Event) -> None:
    """Wait until one of the two is set."""
    tasks = [asyncio.create_task(event.wait()) for event in (one, other)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            await cancel(task)


async def cancel(task: "asyncio.Task[Any]") -> None:
    """Cancel a task, and wait for its end."""
    task.cancel()
    await asyncio.wait([task])
