"""Equal ids share one string object, which halves the memory of a large state.

Each event brings its own copy of the ids in it. Recent ones are remembered here, so that a node
that registers, is given its address and connects is known by one string everywhere.
"""

from functools import lru_cache
from typing import Final

# Larger than the number of nodes that register at the same time; some hundred KiB at most.
REMEMBERED: Final = 4096

shared_id = lru_cache(REMEMBERED)(str)
