"""Bugs that take several servers, planted in a simulated cluster, are found."""

import pytest

from tests.testing.found_at import SEVERAL_SERVERS
from tests.testing.simulated_clusters import BY_NAME, SEVERAL, look_for, require_found

ACTIONS = 15  # a life of these takes half a second


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.long] * (name not in SEVERAL_SERVERS))
        for name in SEVERAL
    ],
)
def test_a_planted_bug_of_several_servers_is_found(name: str) -> None:
    """A search of some trials breaks a law."""
    if (seed := SEVERAL_SERVERS.get(name)) is None:
        report = look_for(BY_NAME[name], seed=0)
    else:
        report = look_for(BY_NAME[name], seed, actions=ACTIONS)
    require_found(BY_NAME[name], report)
