"""Coroutines that wait until something changes, as often as it does."""

import asyncio

__all__ = ["Waiters"]


class Waiters:
    """Those of one event loop; unlike an `asyncio.Event` it has no state of its own."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[None], None] = {}  # in their order

    def __len__(self) -> int:
        return len(self._waiting)

    async def wait(self) -> None:
        """Until the next `wake`."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[waiting] = None
        try:
            await waiting
        finally:  # nothing may wake those that gave up, such as at a server that is cut off
            self._waiting.pop(waiting, None)

    def wake(self) -> None:
        """Let all go on that wait now."""
        waiting, self._waiting = self._waiting, {}
        for each in waiting:
            if not each.done():
                each.set_result(None)
