"""Values that say the same are one object: what a million nodes weigh depends on it.

Each event brings its own copy of the ids in it. What is needed again soon is remembered here, so
that a node which registers, is given its address and connects is known by one string everywhere.
"""

from functools import lru_cache
from typing import Final

from nc.domain.nodes import Node

__all__ = ["shared_id", "shared_node"]

# Nodes come in waves: more than do so at the same time, and no more than some hundred KiB.
_REMEMBERED: Final = 4096

shared_id = lru_cache(_REMEMBERED)(str)

# Nodes that came with one token and never expire say the same.
shared_node = lru_cache(_REMEMBERED)(Node)
