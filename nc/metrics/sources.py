"""Where the metrics of a server come from."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import NamedTuple

from eventlog.offloop import RunBlocking
from nc.clock import Clock
from nc.clock_watch import ClockWatch
from nc.hub.hub import Hub
from nc.replica.replica import Replica
from nc.replica.role import Role
from nc.replica.waiting import WaitingNodes
from nc.rpc.abuse import Abuse
from nc.rpc.admin.server import Facts
from nc.rpc.call_counts import CallCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The parts of a server that metrics are read from.

    Attributes:
        replica: has started.
        role: of the replica; None: there are no others.
        watches: how many watches of events are open.
        facts: what the server's files say.
    """

    version: str
    replica: Replica
    role: Role | None
    hub: Hub
    calls: CallCounts
    abuse: Abuse
    waiting: WaitingNodes
    watches: Callable[[], int]
    facts: Facts
    clock: Clock
    clock_watch: ClockWatch
    run_blocking: RunBlocking


class ServedMetrics(NamedTuple):
    """Metrics that are served.

    Attributes:
        url: where they are.
        keep: the background task that keeps them true.
    """

    url: str
    keep: Callable[[], Awaitable[None]]


# Serves the metrics until the end of its block; raises PortUnavailable if it cannot.
OpenMetrics = Callable[[Sources], AbstractAsyncContextManager[ServedMetrics]]
