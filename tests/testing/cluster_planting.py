"""How a bug of a cluster is planted: what it is called, and by which laws it may be found."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.testing.planting import Patch


@dataclass(frozen=True)
class ClusterBug:
    """A mistake that could be made.

    Attributes:
        name: what is wrong.
        plant: makes it so.
        is_shared: whether it takes several servers.
        laws: those by which it may be found; no other may be blamed.
    """

    name: str
    plant: Patch
    is_shared: bool
    laws: frozenset[str]


# What shows a link that lives on once it has ended in the log.
A_LINK_TOO_MANY = (
    "a node has one link at the most",
    "who may not be here has no link",
    "the hub's links are the log's",
)

LOST_PACKETS = (
    "a packet arrives at the one it is for",
    "a packet arrives or is counted as dropped",
    "a packet hops once at the most",
)


def into(bugs: list[ClusterBug]) -> Callable[..., Callable[[Patch], Patch]]:
    """What declares bugs, and adds them to these: the name of each is the function's."""

    def bug(*laws: str, is_shared: bool = False) -> Callable[[Patch], Patch]:
        def declare(plant: Patch) -> Patch:
            name = plant.__name__.replace("_", " ")
            bugs.append(ClusterBug(name, plant, is_shared, frozenset(laws)))
            return plant

        return declare

    return bug
