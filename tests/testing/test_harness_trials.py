"""Trials of a server in this process: what may be played, and how a broken law is told."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from eventlog import EventLog, LogDamaged
from nc.testing import (
    Answer,
    CheckState,
    Crash,
    Facts,
    Handshake,
    InProcess,
    IssueToken,
    LawBroken,
    LogView,
    OpenLink,
    Redeem,
    ServerGone,
    SetExpiries,
    Step,
    Unregister,
    judge,
)
from nc.testing.contract.values import NO_LIMITS, Limits
from nc.testing.search import Trial, Trials, play, search
from nc.testing.targets.in_process import START_MS


def test_a_link_that_is_refused_its_address_ends() -> None:
    """A node that says hello when all addresses are in use is IDLE from then on."""
    target = InProcess()
    trial = Trial(target, "10.1.1.1/29")
    trial.perform(IssueToken("token 1", 10))
    for number in (1, 2, 3):
        trial.perform(Redeem("token 1", f"node {number}"))
        trial.perform(OpenLink(f"node {number}", f"link {number}"))
    for number in (1, 2):
        trial.perform(Handshake(f"node {number}", f"link {number}"))
    (refused,) = trial.perform(Handshake("node 3", "link 3"))
    (seen,) = trial.perform(CheckState("node 3"))
    assert refused is not None
    assert not refused.is_ok
    assert seen is not None
    assert seen.facts.state == -1
    trial.finish()
    target.end()
    target.close()


def test_a_history_can_be_played_again() -> None:
    """What is played is what was, for a target without chance: answers, expiries and all."""
    target = InProcess()
    trial = Trial(target, "10.1.1.1/29")
    trial.perform(IssueToken("token 1", 1))
    trial.perform(Redeem("token 1", "node 1"), Redeem("token 1", "node 2"), turns=(2, 0))
    trial.perform(SetExpiries((("node 1", START_MS // 1000 + 1),)))
    trial.wait(1000)
    trial.restart("10.1.1.1/28")
    trial.perform(CheckState("node 1"))
    played = Trial(target, "10.1.1.1/29")
    target.end()
    assert play(target, "10.1.1.1/29", trial.history.items).breaches == []
    assert str(played.history) == "    the server starts on 10.1.1.1/29"
    target.close()


def test_a_breach_is_told_in_steps_that_can_be_read() -> None:
    """The text names the law, says it, and numbers the steps."""
    target = InProcess()
    trial = Trial(target)
    trial.perform(IssueToken("token 1", 10))
    trial.states.change(lambda model: model.tokens.clear())  # so that the model is wrong
    with pytest.raises(LawBroken, match="some order of the commands") as broken:
        trial.perform(Redeem("token 1", "node 1"))
    assert "    2  +0.000 s  Redeem token 1, node 1, bootstrap port  →  200" in str(broken.value)
    target.end()
    target.close()


def test_a_caller_may_be_looked_at_before_its_command_is_decided() -> None:
    """A node that leaves while it is being removed is denied, or refused as gone already."""
    both = (Unregister("node 1"), Unregister("node 1", "node 1"))
    target = InProcess()
    for turns in ((0, 0), (0, 1), (0, 6)):
        trial = Trial(target)
        trial.perform(IssueToken("token 1", -1))
        trial.perform(Redeem("token 1", "node 1"))
        trial.perform(*both, turns=turns)
        trial.finish()
        target.end()
    target.close()


def test_laws_are_unsure_of_what_ran_at_the_same_time() -> None:
    """A state or an address that was asked for beside a new link may be of before or after it."""
    target = InProcess()
    trial = Trial(target, "10.1.1.1/28")
    trial.perform(IssueToken("token 1", -1))
    trial.perform(Redeem("token 1", "node 1"))
    opening = (OpenLink("node 1", "link 1"), Handshake("node 1", "link 1"), CheckState("node 1"))
    trial.perform(*opening)  # the query is answered first
    trial.restart()
    trial.perform(CheckState("node 1"), OpenLink("node 1", "link 2"), turns=(6, 0))
    trial.perform(SetExpiries((("node 1", START_MS // 1000),)))
    trial.perform(CheckState("node 1"))
    trial.perform(SetExpiries((("node 1", 0),)))
    trial.perform(CheckState("node 1"), OpenLink("node 1", "link 3"), turns=(6, 0))
    trial.perform(OpenLink("node 1", "link 4"), Handshake("node 1", "link 4"))
    trial.perform(OpenLink("node 1", "link 4"))  # it was opened, which changes nothing
    trial.finish()
    target.end()
    target.close()


def test_a_link_without_a_hello_may_have_ended() -> None:
    """Who says no hello for ten seconds is INIT or, the link having been ended, IDLE."""
    target = InProcess()
    trial = Trial(target)
    trial.perform(IssueToken("token 1", -1))
    trial.perform(Redeem("token 1", "node 1"))
    trial.perform(OpenLink("node 1", "link 1"))
    for waited_ms, is_broken in ((9_999, True), (1, False)):
        trial.wait(waited_ms)
        trial.perform(CheckState("node 1"))
        idle = replace(trial.history.steps[-1], answer=Answer(Facts("200", -1, "")))
        history = replace(trial.history, items=[*trial.history.items[:-1], idle], steps=[])
        history.steps += [item for item in history.items if isinstance(item, Step)]
        broken = {breach.law.name for breach in judge(history).breaches}
        assert ("connected means one live link" in broken) is is_broken
    target.end()
    target.close()


class _DeadAfterAll(InProcess):
    """Whatever it left is more than it can read."""

    def begin(self, network: str, limits: Limits = NO_LIMITS) -> str:
        """Once."""
        self._has_begun = False
        return super().begin(network, limits)

    def _open_log(self) -> EventLog:
        if self._has_begun:
            raise LogDamaged(Path("/log/1.seg"), 96, 1, "a bit is wrong", "what was written")
        self._has_begun = True
        return super()._open_log()


@pytest.mark.parametrize(
    "end",
    [
        lambda trial: trial.restart(),
        lambda trial: trial.perform(CheckState("node 1"), crash=Crash(at_step=3)),
    ],
    ids=["restart", "crash"],
)
def test_a_server_that_does_not_start_again_broke_a_law(end: Callable[[Trial], object]) -> None:
    """It is reported as any other, with the steps that led there and what the server said."""
    target = _DeadAfterAll()
    trial = Trial(target)
    trial.perform(IssueToken("token 1", 10))
    with pytest.raises(LawBroken, match=r"the server starts again, at the end: .*bit is wrong"):
        end(trial)
    assert trial.is_over
    target.end()
    report = search(Trials(target, rules=10), examples=10, shrinks=20)
    assert [broken.breach.law.name for broken in report.broken] == ["the server starts again"]
    target.end()
    target.close()


class _Unreadable(InProcess):
    """It serves, on a log that cannot be read."""

    def log(self) -> LogView:
        """None."""
        raise ServerGone("a segment is missing")


def test_a_log_that_cannot_be_read_broke_a_law() -> None:
    """No server would start on it."""
    target = _Unreadable()
    with pytest.raises(LawBroken, match="the server starts again, at the end: a segment is"):
        Trial(target).finish()
    target.end()
    target.close()
