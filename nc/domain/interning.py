"""Equal ids and equal tuples share one object, which halves the memory of a large state.

Each event brings its own copy of the ids in it. Recent ones are remembered here, so that a node
that registers, is given its address and connects is known by one string everywhere, and the nodes
of one token have the same labels.
"""

from functools import lru_cache
from typing import Any, Final

# Larger than the number of nodes that register at the same time; some hundred KiB at most.
REMEMBERED: Final = 4096

shared_id = lru_cache(REMEMBERED)(str)


@lru_cache(REMEMBERED)
def shared(value: Any) -> Any:
    """The object that was first met of those equal to this one."""
    return value
