"""For whom an idle node's address is reclaimed when the pool is used up.

Whoever holds one bootstrap token could enrol machines without end, and take the address of every
node that is off for a while. So a *newcomer*, a node that was never handed an address, gets none
from another node if it is beyond its token's share: its token enrolled more nodes within the day up
to it than a quarter of the network has addresses.
"""

from typing import Final

from nc.domain.addresses import Reclaim
from nc.domain.network import Network
from nc.domain.nodes import Nodes

_DAY_MS: Final = 24 * 60 * 60 * 1000
_SHARE: Final = (
    4  # a quarter: a fleet may grow by that in a day, and an operator has days to notice
)


def share_of(network: Network) -> int:
    """How many nodes a token may enrol within a day before newcomers get nothing from others."""
    return max(1, network.slots // _SHARE)


def reclaim_for(
    nodes: Nodes, network: Network, node_id: str, now_ms: int, after_ms: int
) -> Reclaim:
    """What may be reclaimed for a registered node. O(nodes).

    Args:
        nodes: all of them.
        network: whose addresses are used up.
        node_id: the node that needs one.
        now_ms: the present.
        after_ms: how long a node must have been idle to lose its address; 0: not at all, and there
            are no shares either.
    """
    share = share_of(network)
    is_beyond = after_ms and not nodes[node_id].links and _rank(nodes, node_id) > share
    return Reclaim(now_ms, after_ms, share if is_beyond else None)


def _rank(nodes: Nodes, node_id: str) -> int:
    """How many nodes its token enrolled within the day up to a node, with the node itself."""
    newcomer = nodes[node_id]
    until_ms = newcomer.registered_at_ms
    return sum(
        node.token_id == newcomer.token_id
        and until_ms - _DAY_MS < node.registered_at_ms <= until_ms
        for node in nodes.values()
    )
