"""Each of several servers gets an overlay address of its own, from the one that leads."""

from collections.abc import Awaitable, Callable
from typing import Final

from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.domain.addresses import free_addresses
from nc.domain.replica_addresses import BindReplicaAddress, without_address
from nc.replica.shared import SharedReplica

_NONE_LEFT: Final = (
    "no overlay address is free for each server; what a server without one sends into the overlay "
    "reaches only the nodes that are linked to it; unregister nodes, or use a larger --network-addr"
)


class OwnAddresses:
    """What one server does for all while it leads.

    Args:
        submit: makes a change.
    """

    def __init__(
        self,
        replica: SharedReplica,
        submit: Callable[[BindReplicaAddress], Awaitable[None]],
        log: FilteringBoundLogger,
    ) -> None:
        self._replica = replica
        self._submit = submit
        self._log = log
        self._has_warned = False

    async def look(self) -> None:
        """Look once; raises as `Replica.submit`."""
        state = self._replica.state
        lacking = without_address(state.addresses, state.sessions) if self._replica.leads else []
        for session in lacking:
            if next(free_addresses(self._replica.state.addresses), None) is not None:
                await self._submit(BindReplicaAddress(session))
            elif not self._has_warned:
                self._has_warned = True
                self._log.warning(log_events.NO_OWN_ADDRESS, message=_NONE_LEFT)
        if not lacking:
            self._has_warned = False
