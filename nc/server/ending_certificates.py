"""Says which nodes' certificates end soon and cannot be renewed: those machines must join again.

The server made their keys (GetToken), so that no request of theirs would prove anything. All others
renew their own; one that does not is off, and does it when it is on again.
"""

import asyncio
from heapq import nsmallest
from typing import Final

from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.clock import Clock, now_ms
from nc.domain.map_items import items_of
from nc.domain.names import shown_name
from nc.replica.replica import Replica
from nc.rpc.admin.selection import ends_for_good
from nc.text import moment

SOON_MS: Final = 30 * 24 * 60 * 60 * 1000
_INTERVAL_S: Final = 24 * 60 * 60.0
_NAMED: Final = 10  # in a line; `ncadm nodes list` has all

# How many nodes are looked at before the event loop has its turn: a microsecond each.
_NODES_PER_TURN: Final = 500


class EndingCertificates:
    """Looks at the start, and once a day.

    Attributes:
        count: how many nodes there were at the last look.
    """

    def __init__(self, replica: Replica, clock: Clock, log: FilteringBoundLogger) -> None:
        self._replica = replica
        self._clock = clock
        self._log = log
        self.count = 0

    async def run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(_INTERVAL_S)

    async def look(self) -> None:
        """Count them, and say so if there are any."""
        until_ms, found = now_ms(self._clock) + SOON_MS, []
        for number, (node_id, node) in enumerate(items_of(self._replica.state.nodes), 1):
            if ends_for_good(node, until_ms):
                name = shown_name(node.profile.name, node_id)
                found.append((node.certificates_end_ms, name))
            if number % _NODES_PER_TURN == 0:
                await asyncio.sleep(0)
        self.count = len(found)
        if found:
            first = nsmallest(_NAMED, found)
            names = ", ".join(name for _, name in first)
            more = "" if len(found) == len(first) else f" and {len(found) - len(first)} more"
            self._log.warning(
                log_events.NODE_CERTIFICATES_END,
                count=len(found),
                message=f"the certificates of {names}{more} end within 30 days, the first at "
                f"{moment(first[0][0])}, and cannot be renewed, since the server made their keys; "
                "let those machines join again (network-controller join)",
            )
