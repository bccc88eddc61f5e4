"""When a node tries again to leave a server that asks for it."""

import asyncio
from functools import partial
from types import SimpleNamespace
from typing import Any

from nc.agent.leaving import Leaving

PATIENCE_S = 60.0


async def test_what_is_due_for_one_link_is_not_for_the_next() -> None:
    """And there is one next try, however often the server has asked."""
    ended = asyncio.get_running_loop().create_future()
    asking: Any = SimpleNamespace(is_to_leave=True, ended=ended)
    letting: Any = SimpleNamespace(is_to_leave=False, ended=ended)
    leaving = Leaving()
    for then in (partial(leaving.look, letting), partial(leaving.look_later, asking, 3600.0)):
        leaving.look_later(asking, 0.0)
        then()
        passed = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.0, passed.set_result, None)
        await passed
        assert not leaving.is_due.is_set()
    leaving.look_later(asking, 0.0)
    await asyncio.wait_for(leaving.is_due.wait(), PATIENCE_S)
