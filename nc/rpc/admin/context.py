"""What all services of nc.admin.v1 work on."""

from dataclasses import dataclass

from nc.clock import Clock, now_ms
from nc.domain.decide import Command
from nc.domain.events import Event
from nc.domain.state import State
from nc.replica.batch import Origin
from nc.replica.replica import Replica
from nc.rpc.admin.live_links import LiveLinks
from nc.rpc.admin.turns import Turns
from nc.rpc.api import Call
from nc.secrets import Secrets, TokenIds


@dataclass(frozen=True, slots=True)
class Context:
    """See the module.

    Attributes:
        listing: a list of nodes or tokens is being made.
    """

    replica: Replica
    token_ids: TokenIds
    clock: Clock
    secrets: Secrets
    links: LiveLinks
    listing: Turns

    @property
    def state(self) -> State:
        return self.replica.state

    @property
    def now_ms(self) -> int:
        return now_ms(self.clock)

    async def submit(self, command: Command, call: Call) -> list[Event]:
        """Make a change for a caller; raises as `Replica.submit`."""
        origin = Origin(call.caller.actor, call.method, call.request_id)
        return await self.replica.submit(command, origin)
