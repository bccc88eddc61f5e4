"""Equal ids share one string object, which halves the memory of a large state.

Each event brings its own copy of the ids in it. Recent ones are remembered here, so that a node
that registers, is given its address and connects is known by one string everywhere.
"""

from functools import lru_cache
from typing import Final

# Nodes come in waves: more than come at the same time, and some hundred KiB at the most.
REMEMBERED: Final = 4096

shared_id = lru_cache(REMEMBERED)(str)
