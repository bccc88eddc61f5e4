"""The settings that servers of trials are started with."""

from typing import Final

from nc.testing.contract.values import MINUTE_MS, NO_LIMITS, Limits

# Small, so that the pool is used up; the server at its beginning, in its middle, at its end.
NETWORKS: Final = (
    "10.1.1.1/29",
    "10.1.1.1/28",
    "10.1.1.9/28",
    "10.1.1.4/29",
    "10.1.1.0/28",
    "10.9.255.249/29",
    "10.1.1.1/24",
)

IMPORTED: Final = Limits(imported=2)

LIMITS: Final = (
    *(IMPORTED, Limits(reclaim_after_ms=10 * MINUTE_MS, imported=2)),
    *(NO_LIMITS, NO_LIMITS, Limits(max_nodes=6)),
    *(Limits(reclaim_after_ms=10 * MINUTE_MS), Limits(reclaim_after_ms=MINUTE_MS)),
)
