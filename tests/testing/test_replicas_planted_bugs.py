"""Servers on one log: no law breaks; and of each planted bug some law does."""

from collections.abc import Iterable
from typing import Any

import pytest

from nc.domain import leadership as domain
from nc.domain import levels
from nc.replica import leadership, leases
from nc.replica.errors import NoMajority
from nc.replica.leases import LeaderLeases
from nc.replica.queue import CommandQueue
from nc.replica.role import Role
from nc.server.membership import Membership
from nc.testing.simulation.replicas.shared_log import LogView
from nc.testing.simulation.replicas.trial import Ending, Trial, run_trial

SEEDS = range(40)  # until a bug is found


def test_no_law_breaks() -> None:
    """A trial with every kind of fault."""
    trial = run_trial("suite", 15.0)
    assert trial.breaches == [], "\n".join(trial.story)
    assert trial.clients.answers > 100


@pytest.mark.long
@pytest.mark.parametrize("seed", [*range(60), 170, 173, 901])  # the last ones found bugs
def test_no_law_breaks_in_any_trial(seed: int) -> None:
    """As above, for longer."""
    trial = run_trial(seed)
    assert trial.breaches == [], "\n".join(trial.story)


def test_a_log_that_lost_events_ends_the_servers() -> None:
    """Each that has read them ends, whether others have appended since or not; none answers."""
    for ending in (Ending.REWOUND, Ending.REPLACED):
        trial = run_trial("rewound", 5.0, ending=ending)
        assert trial.breaches == [], "\n".join(trial.story)
        assert trial.left == []


def test_a_server_that_is_given_other_bytes_ends_alone() -> None:
    """The chain shows them; the others go on, and answer."""
    trial = run_trial("forked", 5.0, ending=Ending.FORKED)
    assert trial.breaches == [], "\n".join(trial.story)
    assert trial.left == ["s2", "s3"]


def found(word: str) -> Trial:
    """The first trial in which a law is broken whose sentence has this word; "": any law."""
    for seed in SEEDS:
        trial = run_trial(seed)
        if any(word in breach for breach in trial.breaches):
            return trial
    raise AssertionError(f"no breach with {word!r} in {len(SEEDS)} trials")


def stale_read(patch: pytest.MonkeyPatch) -> None:
    """Followers and leaders answer without a lease."""
    patch.setattr(Role, "may_answer", lambda _: True)


def two_leaders(patch: pytest.MonkeyPatch) -> None:
    """A leader takes itself for one until it hears of another, and a new one does not wait."""
    patch.setattr(LeaderLeases, "until_ns", lambda *_: 1 << 62)
    patch.setattr(leadership.Candidate, "quiet_until_ns", lambda *_: 0)


def acknowledged_before_followers(patch: pytest.MonkeyPatch) -> None:
    """The leader waits for nobody."""
    patch.setattr(LeaderLeases, "_in", lambda _: iter(()))


def new_leader_does_not_wait(patch: pytest.MonkeyPatch) -> None:
    """It acknowledges while leases of the one before it go on."""
    patch.setattr(leadership.Candidate, "quiet_until_ns", lambda *_: 0)
    patch.setattr(leadership, "SILENCE_S", 0.7)


def open_outcome_is_a_failure(patch: pytest.MonkeyPatch) -> None:
    """What may be in the log is said not to be."""

    def leave_open(queue: CommandQueue, count: int) -> None:
        del count
        queue.refuse(_busy)

    patch.setattr(CommandQueue, "leave_open", leave_open)


def _busy() -> Exception:
    return NoMajority()


def open_outcome_is_a_success(patch: pytest.MonkeyPatch) -> None:
    """What may not be in the log is said to be."""
    patch.setattr(
        CommandQueue, "leave_open", lambda queue, count: queue.answer([[] for _ in range(count)])
    )


def links_of_others_are_dropped(patch: pytest.MonkeyPatch) -> None:
    """A loss ends all links but the leader's own."""

    def others(links: Any, sessions: Any) -> Iterable[str]:
        first = min(session for session, _ in sessions.items()) if sessions else ""
        return (node for node, link in links.items() if link.session != first)

    patch.setattr(domain, "unowned", others)


def lost_session_goes_on(patch: pytest.MonkeyPatch) -> None:
    """A replica that reads of its own loss begins no other session."""

    async def nothing(_: Membership) -> None: ...

    patch.setattr(Membership, "_begin_anew_if_lost", nothing)


def dismissed_by_lag(patch: pytest.MonkeyPatch) -> None:
    """A replica is lost once it was silent for a second."""
    patch.setattr(leadership, "LOST_AFTER_LOOKS", 2)


def counted_out_before_its_lease_ended(patch: pytest.MonkeyPatch) -> None:
    """A follower whose connection has broken is taken for dead at once."""
    patch.setattr(leases, "BROKEN_OUT_AFTER_S", 0.0)


def rewind_unnoticed(patch: pytest.MonkeyPatch) -> None:
    """A server does not compare what it has read with what the log has."""
    patch.setattr(LogView, "_check_own_past", lambda _: None)


def fork_unnoticed(patch: pytest.MonkeyPatch) -> None:
    """Nor what it reads with the chain."""
    patch.setattr(LogView, "_check_next", lambda *_: None)


def level_ignored(patch: pytest.MonkeyPatch) -> None:
    """Events are written that an older server does not know."""
    patch.setattr(levels, "require_known", lambda *_: None)


@pytest.mark.long
@pytest.mark.parametrize(
    ("plant", "word"),
    [
        (stale_read, "a node is"),
        (two_leaders, ""),
        (acknowledged_before_followers, "a node is"),
        (new_leader_does_not_wait, "a node is"),
        (open_outcome_is_a_failure, "it is in the log"),
        (open_outcome_is_a_success, ""),
        (links_of_others_are_dropped, "while its session goes on"),
        (lost_session_goes_on, "answers nothing"),
        (dismissed_by_lag, "though it was in touch"),
        (counted_out_before_its_lease_ended, "a node is"),
        (rewind_unnoticed, "another log"),
        (fork_unnoticed, "another log"),
        (level_ignored, "does not know"),
    ],
)
def test_a_planted_bug_is_found(plant: Any, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within some trials."""
    plant(monkeypatch)
    assert found(word).breaches
