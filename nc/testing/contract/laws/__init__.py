"""The laws of a network controller, a module for each subject.

`LAWS` hold of every target, `CLUSTER_LAWS` of a simulated cluster. Their order is that in which a
breach is blamed: the most telling law first, and last the one that any wrong answer breaks, since
no order of the commands explains it.
"""

from typing import Final

from nc.testing.contract.laws import (
    addresses,
    calls,
    cluster,
    enrolment,
    links,
    log,
    operators,
    order,
    server,
    tokens,
)
from nc.testing.contract.laws.cluster import NOT_IN_A_CLUSTER
from nc.testing.contract.laws.law import Check, Evidence, Law

__all__ = ["CLUSTER_LAWS", "LAWS", "NOT_IN_A_CLUSTER", "Check", "Evidence", "Law"]


def _laws_in(*modules: object) -> tuple[Law, ...]:
    return tuple(
        each for module in modules for each in vars(module).values() if isinstance(each, Law)
    )


LAWS: Final = _laws_in(server, tokens, enrolment, addresses, links, operators, calls, log, order)
CLUSTER_LAWS: Final = (
    *_laws_in(cluster),
    *(law for law in LAWS if law.name not in NOT_IN_A_CLUSTER),
)
