"""How many links each session holds: counted at the first question, then where they change."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from nc.domain.events import Event, pb
from nc.domain.map_items import items_of
from nc.replica.replica import Replica
from nc.rpc.admin.turns import in_slices

_IDLE: Final = pb.CONNECTION_STATE_IDLE


class HeldLinks:
    """See the module; the replica has started when it is asked."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._by_session: Counter[str] = Counter()
        self._counting: asyncio.Task[None] | None = None

    async def by_session(self) -> Mapping[str, int]:
        """By the session of the server that holds them; those that hold none may be missing."""
        if self._counting is None:
            self._counting = asyncio.create_task(self._count(), name="held-links")
        await asyncio.shield(self._counting)  # others wait for it, too
        return self._by_session

    async def _count(self) -> None:
        links = self._replica.state.links
        self._replica.observe(self._follow)  # what changes meanwhile: a sum has no order
        async for some in in_slices(items_of(links)):
            self._by_session.update(link.session for _, link in some)

    def _follow(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.HasField("state_changed"):
                change = event.state_changed
                is_begun, is_ended = change.from_state == _IDLE, change.to_state == _IDLE
                self._by_session[change.session] += is_begun - is_ended
