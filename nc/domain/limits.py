"""The limits that a server sets on its nodes."""

from typing import Final, NamedTuple

# A machine that is off over a week's holiday keeps its address.
DEFAULT_RECLAIM_AFTER_MS: Final = 7 * 24 * 60 * 60 * 1000


class NodeLimits(NamedTuple):
    max_nodes: int = 0  # registered at one time; 0: any number
    # How long a node must have been idle before it gives its address up; 0: not at all.
    reclaim_after_ms: int = DEFAULT_RECLAIM_AFTER_MS


DEFAULT_LIMITS: Final = NodeLimits()
