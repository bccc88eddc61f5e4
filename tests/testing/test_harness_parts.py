"""The harness's own parts: the model's worlds, the laws' honesty, the strategies."""

import asyncio
import struct
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlog import EventLog, LogDamaged
from nc.net import wire
from nc.testing import (
    LAWS,
    Answer,
    CheckState,
    Crash,
    Facts,
    Handshake,
    History,
    InProcess,
    IssueToken,
    LawBroken,
    LogView,
    Model,
    Moment,
    OpenLink,
    Operation,
    Redeem,
    ServerGone,
    SetExpiries,
    Step,
    Unregister,
    judge,
)
from nc.testing.contract.possible_states import Asked, PossibleStates
from nc.testing.contract.values import NO_LIMITS, Limits, at
from nc.testing.search import Trial, Trials, draw_trial, play, search
from nc.testing.search.settings import NETWORKS
from nc.testing.search.strategies import histories, packets, pick_with
from nc.testing.targets import links
from nc.testing.targets.in_process import START_MS
from nc.testing.virtual_time import VirtualLoop

NOW = at(START_MS)


def test_a_history_without_steps_exercises_no_law() -> None:
    """A law that had nothing to say says so; none is passed by default."""
    judgement = judge(History("10.1.1.1/24"))
    assert set(judgement.exercised.values()) == {0}
    assert judgement.breaches == []


def test_every_law_has_a_name_and_a_sentence() -> None:
    """They can be read by people, and are distinct."""
    assert len({law.name for law in LAWS}) == len(LAWS)
    assert all(law.sentence.endswith(".") and "_" not in law.name for law in LAWS)


@given(st.lists(st.floats(0, 1000) | st.sampled_from([1.0, 1 + 5e-10, 1 + 1e-9]), min_size=2))
def test_no_timer_of_the_virtual_loop_runs_before_its_time(times: list[float]) -> None:
    """Also where another one is due some tenths of a nanosecond before it."""
    loop, early = VirtualLoop(), list[float]()

    async def wait_for_all() -> None:
        for at_s in times:
            loop.call_at(at_s, lambda due_s: early.append(due_s - loop.time()), at_s)
        await asyncio.sleep(max(times) + 1)

    with closing(loop):
        loop.run_until_complete(wait_for_all())
    assert len(early) == len(times)
    assert max(early) <= 0


def test_what_ran_at_the_same_time_may_have_any_order() -> None:
    """A query beside UnRegister may see the node or not; after it, it may not."""
    gone, there, unknown = (
        Facts("200", result=True),
        Facts("200", -1, ""),
        Facts("400", -1, ""),
    )
    for seen in (there, unknown):
        states = _world_with_a_node()
        both = [Asked(Unregister("n 1"), NOW, gone), Asked(CheckState("n 1"), NOW, seen)]
        assert states.explain(both) is not None
        assert states.explain([Asked(CheckState("n 1"), NOW, there)]) is None
        assert states.explain([Asked(CheckState("n 1"), NOW, unknown)]) is not None


def test_what_was_never_answered_happened_or_not_but_not_both() -> None:
    """After an unanswered UnRegister either is believed, and from then on only that."""
    for first, second in (
        (Facts("200", -1, ""), Facts("400", -1, "")),
        (Facts("400", -1, ""),) * 2,
    ):
        states = _world_with_a_node()
        assert states.explain([Asked(Unregister("n 1"), NOW, None)]) is not None
        assert states.explain([Asked(CheckState("n 1"), NOW, first)]) is not None
        explained = states.explain([Asked(CheckState("n 1"), NOW, second)])
        assert (explained is not None) == (first == second)


@pytest.mark.parametrize(
    ("first", "then", "second"),
    [
        ((Moment(60_000, 60_050), "400"), Moment(60_050, 60_060), "400"),
        ((Moment(60_050, 60_100), "200"), Moment(60_000, 60_050), "200"),
    ],
)
def test_a_doubtful_expiry_is_decided_once(
    first: tuple[Moment, str], then: Moment, second: str
) -> None:
    """Where it is unknown which came first, either answer will do; what follows from it holds."""
    for is_known in (False, True):
        for code in ("200", "400"):
            states = _world_with_a_node(Moment(0, 100))  # it expires from 60,000 to 60,100
            moment, answered = first
            if is_known:
                assert states.explain([Asked(Redeem("t 1", "n 2"), moment, Facts(answered))])
            again = states.explain([Asked(Redeem("t 1", "n 3"), then, Facts(code))])
            assert (again is not None) == (not is_known or code == second)


def _world_with_a_node(issued: Moment = NOW) -> PossibleStates:
    states = PossibleStates(Model())
    assert states.explain([Asked(IssueToken("t 1", 1), issued, Facts("200"))]) is not None
    assert states.explain([Asked(Redeem("t 1", "n 1"), issued, Facts("200"))]) is not None
    return states


@pytest.mark.parametrize("acts_alone", [True, False])
def test_a_server_may_have_swept_or_not_yet(acts_alone: bool) -> None:
    """An expired node's address may be taken from it, and as yet not, if the server sweeps."""
    for code, is_possible in (("200", acts_alone), ("400", True)):
        states = _linked_world(acts_alone=acts_alone)
        expired = (("n 1", START_MS // 1000 + 60),)
        assert states.explain([Asked(SetExpiries(expired), NOW, Facts("200"))]) is not None
        later = at(START_MS + 60_000)
        asked = [Asked(OpenLink("n 3", "l 3"), later, Facts(code))]
        assert (states.explain(asked) is not None) == is_possible


@pytest.mark.parametrize("acts_alone", [True, False])
def test_a_link_without_a_hello_may_be_closed_after_ten_seconds(acts_alone: bool) -> None:
    """Not before; and one that has its address stays."""
    for ms, node, state, is_possible in (
        (9_999, "n 2", -1, False),
        (10_000, "n 2", -1, acts_alone),
        (10_000, "n 2", 1, True),
        (10_000, "n 1", -1, False),
        (10_000, "n 1", 3, True),
    ):
        states = _linked_world(acts_alone=acts_alone, greeted=("n 1",))
        held = "10.1.1.3" if node == "n 1" else ""
        seen = [Asked(CheckState(node), at(START_MS + ms), Facts("200", state, held))]
        assert (states.explain(seen) is not None) == is_possible


def _linked_world(*, acts_alone: bool, greeted: tuple[str, ...] = ("n 1", "n 2")) -> PossibleStates:
    """Three nodes, two of them with links, in a network with two addresses."""
    states = PossibleStates(Model("10.1.1.1/29", acts_alone=acts_alone))
    assert states.explain([Asked(IssueToken("t 1", 60), NOW, Facts("200"))]) is not None
    for number in (1, 2, 3):
        joined = Asked(Redeem("t 1", f"n {number}"), NOW, Facts("200"))
        assert states.explain([joined]) is not None
    for number, address in ((1, "10.1.1.3"), (2, "10.1.1.5")):
        node, link = f"n {number}", f"l {number}"
        assert states.explain([Asked(OpenLink(node, link), NOW, Facts("200"))]) is not None
        if node in greeted:
            handed_over = Asked(Handshake(node, link), NOW, Facts("200", address=address))
            assert states.explain([handed_over]) is not None
    return states


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


@settings(max_examples=25)
@given(network=st.sampled_from(NETWORKS), rounds=histories(START_MS))
def test_any_history_can_be_played(network: str, rounds: list[list[Operation]]) -> None:
    """Whole histories, drawn without knowing their answers, break no law of this server."""
    target = InProcess()
    trial = Trial(target, network)
    joined = {"admin"}
    try:
        for operations in rounds:
            asked = [o for o in operations if getattr(o, "caller", "admin") in joined]
            if asked:
                trial.perform(*asked)
            joined |= set(trial.joined)
        trial.finish()
    finally:
        target.end()
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


@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_hypothesis_can_draw_trials(data: st.DataObject) -> None:
    """Its own choices drive the same workload."""
    with closing(InProcess()) as target:
        draw_trial(target, pick_with(data.draw), rules=10).require()


@given(packet=packets(st.just("10.1.1.3"), st.just("10.1.1.5"), max_payload_bytes=64))
def test_packets_are_ipv4(packet: bytes) -> None:
    """Version, length, addresses and checksum are those of the packet."""
    version, _, length = struct.unpack("!BBH", packet[:4])
    assert (version, length) == (0x45, len(packet))
    assert [str(IPv4Address(packet[at : at + 4])) for at in (12, 16)] == ["10.1.1.3", "10.1.1.5"]
    total = sum(struct.unpack("!10H", packet[:20]))
    assert (total & 0xFFFF) + (total >> 16) == 0xFFFF


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


def test_an_end_by_the_sweep_refuses_nothing() -> None:
    """What was asked on a link that the sweep ended was done before, or not: it is unknown."""
    ended: Future[object] = Future()
    ended.set_result("code 1008")
    end = SimpleNamespace(ended=ended, close_code=1008, has_left=False, close_reason="")
    answer = links._ended(cast("Any", end), is_alone=True)
    assert answer is not None
    assert answer.facts.code == "400"
    end.close_reason = wire.EXPIRED.reason
    assert links._ended(cast("Any", end), is_alone=True) is None
    assert links._ended(cast("Any", end), is_alone=True, is_refused=True) == answer


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
