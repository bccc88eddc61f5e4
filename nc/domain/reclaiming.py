"""For whom an idle node's address is reclaimed when the pool is used up.

Whoever holds one bootstrap token could enrol machines without end, and take the address of every
node that is off for a while. So a *newcomer*, a node that was never handed an address, gets none
from another node if it is beyond its token's share: its token had enrolled a quarter as many nodes
as the network has addresses before it, on the same day of the token.
"""

from typing import Final

from nc.domain.bindings import Reclaim
from nc.domain.network import Network
from nc.domain.nodes import Node

_SHARE: Final = (
    4  # a quarter: a fleet may grow by that in a day, and an operator has days to notice
)


def share_of(network: Network) -> int:
    """How many nodes a token may enrol within a day before newcomers get nothing from others."""
    return max(1, network.slots // _SHARE)


def reclaim_for(node: Node, network: Network, now_ms: int, after_ms: int) -> Reclaim:
    """What may be reclaimed for a node.

    Args:
        node: the node that needs an address.
        network: whose addresses are used up.
        now_ms: the present.
        after_ms: how long a node must have been idle to lose its address; 0: not at all, and there
            are no shares either.
    """
    share = share_of(network)
    is_beyond = after_ms and not node.links and node.rank > share
    return Reclaim(now_ms, after_ms, share if is_beyond else None)
