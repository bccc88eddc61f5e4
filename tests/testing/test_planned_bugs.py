"""Bugs of several servers that take rare faults: each has a plan in which it is found."""

from collections.abc import Callable

import pytest

from eventlog.copies import FolderCopy
from nc.domain import levels
from nc.replica import leases
from nc.testing import CLUSTER_LAWS, judge
from nc.testing.contract.laws.cluster import KNOWN_KINDS, NEVER_OLDER, REWOUND
from nc.testing.contract.laws.law import Law
from nc.testing.simulation import Plan, play
from nc.testing.simulation.actions import Action, Join
from nc.testing.simulation.log_view import LogView
from nc.testing.simulation.quarrels import (
    LOG,
    Ask,
    Cut,
    Downgrade,
    ForkLog,
    Invite,
    ResetLines,
    RewindLog,
)


def plan(*actions: Action) -> Plan:
    return Plan(1, "10.1.1.1/24", is_shared=True, actions=(Join(1000, "node 1"), *actions))


def resets() -> tuple[Action, ...]:
    """Again and again one server is cut off from the log, and the others from it."""
    times = range(6000, 70_000, 5000)
    cut = [(ResetLines(at, at // 1000), Cut(at, 3, at // 1000, LOG)) for at in times]
    return (Ask(4000, 70), *(action for both in cut for action in both))


PLANS = {
    "rewound": plan(RewindLog(20_000, 4, appended=False)),
    "forked": plan(ForkLog(20_000, 0), Join(30_000, "node 2", 1), Join(40_000, "node 3", 1)),
    "reset": plan(*resets()),
    "older": plan(Downgrade(15_000, 25, 1), Invite(30_000), Invite(70_000), Join(75_000, "node 2")),
}


def a_rewind_goes_unnoticed(patch: pytest.MonkeyPatch) -> None:
    """A server does not compare what it has read with what the log has."""
    patch.setattr(LogView, "_check_own_past", lambda _: None)


def a_fork_goes_unnoticed(patch: pytest.MonkeyPatch) -> None:
    """Nor what it reads with the chain."""
    patch.setattr(FolderCopy, "_check_follows", lambda *_: None)


def a_follower_is_out_before_its_lease_ended(patch: pytest.MonkeyPatch) -> None:
    """One whose connection has broken is taken for dead at once."""
    patch.setattr(leases, "BROKEN_OUT_AFTER_S", 0.0)


def levels_are_ignored(patch: pytest.MonkeyPatch) -> None:
    """Events are written that an older server does not know."""
    patch.setattr(levels, "require_known", lambda *_: None)


@pytest.mark.parametrize(
    ("plant", "situation", "law"),
    [
        (a_rewind_goes_unnoticed, "rewound", REWOUND),
        (a_fork_goes_unnoticed, "forked", REWOUND),
        pytest.param(
            *(a_follower_is_out_before_its_lease_ended, "reset", NEVER_OLDER),
            marks=pytest.mark.long,
        ),
        (levels_are_ignored, "older", KNOWN_KINDS),
    ],
)
def test_a_bug_is_found_in_its_plan(
    plant: Callable[[pytest.MonkeyPatch], None],
    situation: str,
    law: Law,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The law breaks with the bug, holds without it, and no other one breaks."""
    life = PLANS[situation]
    chronicle = play(life)
    assert judge(chronicle, CLUSTER_LAWS).breaches == []
    assert chronicle.held[law.name] > 0
    plant(monkeypatch)
    assert {breach.law for breach in judge(play(life), CLUSTER_LAWS).breaches} == {law}
