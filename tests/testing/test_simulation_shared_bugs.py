"""Bugs that take several servers, planted in a simulated cluster, are found."""

import pytest

from nc.testing.simulation.workload import DEFAULT_ACTIONS
from tests.testing.simulated_clusters import BY_NAME, SEVERAL, look_for, require_found

# Of the bugs that take several servers, those that the default suite looks for: trials are longer.
IN_SHORT = {
    "a packet is passed on to where its node has gone",
    "an entry of another is folded twice",
    "followers and leaders answer without a lease",
    "the leader acknowledges before its followers know",
    "the source of another server s packet is not checked",
    "what another replica ends lives on here",
}
ACTIONS_IN_SHORT = 15


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.long] * (name not in IN_SHORT)) for name in SEVERAL],
)
def test_a_planted_bug_of_several_servers_is_found(name: str) -> None:
    """A search of some trials breaks a law."""
    actions = ACTIONS_IN_SHORT if name in IN_SHORT else DEFAULT_ACTIONS
    require_found(BY_NAME[name], look_for(BY_NAME[name], seed=0, actions=actions))
