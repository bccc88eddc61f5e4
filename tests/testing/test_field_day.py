"""A day in the field: whatever goes wrong for a while, every agent is connected at its end.

`pytest -m long tests/testing/test_field_day.py` plays more days.
"""

import hashlib

import pytest

from nc.testing import CLUSTER_LAWS, Judgement, judge
from nc.testing.contract.laws.cluster import (
    ALL_BACK,
    GOES_ON,
    KEEPS_TOKENS,
    ONCE_ENROLLED,
    ONE_CLUSTER,
)
from nc.testing.contract.operations import CheckState
from nc.testing.simulation import Chronicle, Plan, play
from nc.testing.simulation.actions import Action, Break, BreakLink, Call, Join, SwitchOff, SwitchOn
from nc.testing.simulation.data import Part
from nc.testing.simulation.faults import Fault, LoseData, LoseFolder, Misdirect, StepClock
from nc.testing.simulation.field_workload import DAY_S, draw_day
from nc.testing.simulation.network import WrongServer
from nc.testing.simulation.outages import KillServer
from tests.testing.planted_field_bugs import FIELD_BUGS

# The planted bugs that the default suite looks for; the others take longer to find.
IN_SHORT = {"an agent gives up when its clock is ahead", "an agent crashes without its folder"}

SHORT_DAY = 10  # its number; of few others the first hours have something for each law
SHORT_DAY_S = 4 * 3600
PARTS = ((0, 3 * 3600), *((day, 6 * 3600) for day in range(4)))  # in which a bug is looked for
LONG_SEARCH = 20  # days

YEAR_MS = 365 * 24 * 3_600_000
FIELD_LAWS = (ALL_BACK, GOES_ON, KEEPS_TOKENS, ONCE_ENROLLED, ONE_CLUSTER)

FOR_S = 400
BEGUN_MS = 10_000


def judged(chronicle: Chronicle) -> Judgement:
    return judge(chronicle, CLUSTER_LAWS)


def played(*actions: Action) -> Chronicle:
    """Two machines join, then these happen, and the fault is over before the end."""
    joins = (Join(1000, "node 1"), Join(2000, "node 2"))
    last = Call(BEGUN_MS + FOR_S * 1000 + 1, CheckState("node 1"))
    return play(Plan(1, "10.1.1.1/24", False, (*joins, *actions, last)))


def require_day(seed: int, seconds: int = DAY_S) -> None:
    """Play a day, or the first part of it, with every kind of fault; hold it against every law."""
    plan = draw_day(seed, seconds)
    faults = [action for action in plan.actions if isinstance(action, Fault)]
    assert {type(fault) for fault in faults} == {StepClock, Misdirect, LoseData, LoseFolder}
    assert len(faults) > 4 * seconds / 3600
    assert plan.actions[-1].at_ms >= (seconds - 3600) * 1000
    judgement = judged(play(plan))
    assert judgement.breaches == []
    assert all(judgement.exercised[law] for law in FIELD_LAWS)


def test_every_agent_is_connected_at_the_end_of_a_short_day() -> None:
    """After hours of wrong clocks, wrong servers and lost folders, no law is broken."""
    require_day(SHORT_DAY, SHORT_DAY_S)


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, *range(1000, 1000 + LONG_SEARCH)])
def test_many_days(seed: int) -> None:
    """The same for 24 hours, and other days."""
    require_day(seed)


@pytest.mark.long
def test_a_token_may_be_forgotten_just_before_the_clock_is_set() -> None:
    """A wrong clock was steady for long, and is put right half a second after that."""
    require_day(25, 4 * 3600)


def test_the_same_seed_is_the_same_day() -> None:
    """What was observed, line by line, and the log, byte for byte."""

    def fingerprint() -> str:
        chronicle = play(draw_day(3, 3600))
        found = hashlib.sha256(str(chronicle).encode())
        for record in chronicle.records:
            found.update(record.chain)
        return found.hexdigest()

    assert fingerprint() == fingerprint()


@pytest.mark.parametrize(
    "name",
    [
        name if name in IN_SHORT else pytest.param(name, marks=pytest.mark.long)
        for name in FIELD_BUGS
    ],
)
def test_a_planted_bug_of_the_field_is_found(name: str) -> None:
    """A part of some day breaks the law that is about it."""
    plant, law = FIELD_BUGS[name]
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        for seed, seconds in PARTS:
            judgement = judged(play(draw_day(seed, seconds)))
            if law in {breach.law for breach in judgement.breaches}:
                return
    pytest.fail(f"{len(PARTS)} parts of days have not broken the law: {law}")


@pytest.mark.parametrize("by_ms", [-20 * YEAR_MS, -1000, 1000, 20 * YEAR_MS])
@pytest.mark.parametrize("node", [None, "node 1"])
def test_a_clock_is_wrong_at_a_start_and_while_running(node: str | None, by_ms: int) -> None:
    """The server's or an agent's: all are connected once it is right, and nothing is forgotten."""
    chronicle = played(
        StepClock(BEGUN_MS, FOR_S, node, by_ms),
        KillServer(BEGUN_MS + 200_000, 1),
        SwitchOff(BEGUN_MS + 200_000, "node 1", False),
        SwitchOn(BEGUN_MS + 200_000, "node 1"),
    )
    assert judged(chronicle).breaches == []


@pytest.mark.parametrize("to", WrongServer)
def test_a_wrong_server_ends_no_agent(to: WrongServer) -> None:
    """Agents try again, and find their own server once its name leads there."""
    chronicle = played(Misdirect(BEGUN_MS, FOR_S, to))
    assert judged(chronicle).breaches == []
    connected = [line for line in chronicle.lines if "is connected as" in line]
    assert len(connected) == len(["node 1", "node 2"] * 2)  # before, and after


@pytest.mark.parametrize("part", Part)
def test_a_server_waits_for_its_data(part: Part) -> None:
    """It refuses to start while a part is gone, and goes on where it was."""
    chronicle = played(LoseData(BEGUN_MS, FOR_S, (part,)))
    assert judged(chronicle).breaches == []
    assert any("does not start: this is not a first start" in line for line in chronicle.lines)


@pytest.mark.parametrize("is_at_start", [True, False])
def test_an_agent_waits_for_its_folder(is_at_start: bool) -> None:
    """At its start, or when its link breaks."""
    at_ms = BEGUN_MS + 1000
    then: tuple[Action, ...] = (BreakLink(at_ms, "node 1", Break.AT_NODE),)
    if is_at_start:
        then = (SwitchOff(at_ms, "node 1", False), SwitchOn(at_ms, "node 1"))
    chronicle = played(LoseFolder(BEGUN_MS, FOR_S, "node 1"), *then)
    assert judged(chronicle).breaches == []
