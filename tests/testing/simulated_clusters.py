"""Clusters that are simulated: what is judged of them, and which planted bugs are looked for."""

import hashlib

import pytest

from nc.testing import CLUSTER_LAWS, Judgement, judge
from nc.testing.search import Report, search
from nc.testing.simulation import Chronicle, Simulation, draw
from nc.testing.simulation.workload import DEFAULT_ACTIONS
from tests.testing.cluster_planting import ClusterBug
from tests.testing.planted_cluster_bugs import CLUSTER_BUGS

# Most are found within some ten trials. A few need a coincidence (a crash or a full disk between
# two steps): some hundred, and the long search looks for those.
MOST_TRIALS = 60

# Two faults have to meet, such as the end of a link at a follower and a log that is busy for long,
# which hundreds of trials do not draw: the situations in `FOUND_IN_CLUSTERS` find them.
BY_SITUATION = {
    "a refused end of a link is not asked for again",
    "a replaced link outlives the server of the newer one",
    "a start whose outcome is open is asked for under another session",
}

FEW_ACTS = draw(3, 8, is_shared=True)

BY_NAME = {bug.name: bug for bug in CLUSTER_BUGS}
SEVERAL = [bug.name for bug in CLUSTER_BUGS if bug.is_shared and bug.name not in BY_SITUATION]


def judged(chronicle: Chronicle) -> Judgement:
    return judge(chronicle, CLUSTER_LAWS)


def fingerprint(chronicle: Chronicle) -> str:
    """Of the log's bytes, and of what was observed; without caches (snapshots) and process ids."""
    found = hashlib.sha256(str(chronicle).encode())
    for name, data in sorted(chronicle.log_bytes.items()):
        if name.endswith(".seg"):
            found.update(name.encode() + data)
    for record in chronicle.records:
        found.update(b"%d %b" % (record.recorded_at_ns, record.chain))
    return found.hexdigest()


def look_for(
    bug: ClusterBug,
    seed: int,
    *,
    examples: int = MOST_TRIALS,
    shrinks: int = 0,
    actions: int = DEFAULT_ACTIONS,
) -> Report:
    """What a search finds while the bug is planted."""
    simulation = Simulation(actions=actions, is_shared=bug.is_shared)
    with pytest.MonkeyPatch.context() as patch:
        bug.plant(patch)
        return search(simulation, examples=examples, seed=seed, shrinks=shrinks)


def require_found(bug: ClusterBug, report: Report) -> None:
    """It was found, by one of its laws."""
    assert not report.is_good, f"it survived {report.trials} trials"
    assert report.broken[0].breach.law.name in bug.laws
