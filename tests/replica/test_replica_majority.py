"""A replica on a log that other machines keep: no majority, lost events, other writers, limits."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog import MemoryLog, RecordTooLarge
from eventlog.errors import LogRewound
from nc.domain.decide import Command
from nc.domain.events import Batch, Event
from nc.domain.leadership import StandForElection
from nc.domain.links import AcceptLink
from nc.domain.replicas import StartReplica
from nc.domain.state import State
from nc.domain.tokens import IssueToken
from nc.replica import shared
from nc.replica.batch import Origin, decide_batch
from nc.replica.errors import LeaderLost, NoMajority, NotLeading, OutcomeOpen, Replaced, Unwritable
from nc.replica.local_log import LocalLog
from nc.replica.replica import Replica
from nc.replica.shared import SharedReplica
from tests.support.hesitant_log import HesitantLog
from tests.support.histories import NOW_MS, register
from tests.support.replica_bench import (
    ORIGIN,
    Gate,
    ManualClock,
    issue,
    on_a_loop,
    outcomes,
    replayed,
    settle,
    submit,
)

START = StartReplica("r", "1", "10.1.1.1/24", session="first", is_alone=True)
ROUNDS = st.lists(st.tuples(st.integers(1, 5), st.booleans(), st.integers(0, 3)), max_size=5)


def started(log: MemoryLog) -> tuple[Replica, HesitantLog]:
    """A replica that runs, and its log."""
    clock, gate = ManualClock(), Gate()
    hesitant = HesitantLog(log, clock, run_blocking=gate)
    replica = Replica(hesitant, clock, run_blocking=gate)
    replica.start()
    return replica, hesitant


@given(ROUNDS)
@on_a_loop
async def test_without_a_majority_nothing_is_promised_and_nothing_is_lost(
    rounds: list[tuple[int, bool, int]],
) -> None:
    """Commands are told what is open; the state is the log's as soon as there is a majority."""
    log = MemoryLog()
    replica, hesitant = started(log)
    heard: list[str] = []
    replica.observe(lambda events: heard.extend(e.token_issued.token_id for e in events))
    expected: list[str] = []
    for number, (together, arrives, later) in enumerate(rounds):
        names = [f"{number}-{each}" for each in range(together)]
        hesitant.has_majority, hesitant.arrives = False, arrives
        before = replica.state
        assert await outcomes(submit(replica, *map(issue, names))) == [OutcomeOpen] * together
        refused = submit(replica, *(issue(f"{number}-later-{each}") for each in range(later)))
        assert await outcomes(refused) == [NoMajority] * later
        assert (replica.state, replica.is_writable) == (before, False)
        hesitant.has_majority = True
        await replica.writable.wait()
        expected += names if arrives else []
        assert replica.state == replayed(log)
        assert await outcomes(submit(replica, issue(f"{number}-after"))) == [1]
        expected.append(f"{number}-after")
        await settle()
        assert heard == expected
    await replica.stop()
    assert set(replayed(log).tokens) == set(expected)


@on_a_loop
async def test_a_replica_stops_without_a_majority() -> None:
    """It waits for nobody, and its log has what was acknowledged."""
    log = MemoryLog()
    replica, hesitant = started(log)
    await replica.submit(issue("a"), ORIGIN)
    hesitant.has_majority = False
    assert await outcomes(submit(replica, issue("b"))) == [OutcomeOpen]
    await replica.stop()
    assert set(replayed(log).tokens) == {"a"}


@on_a_loop
async def test_a_stop_does_not_wait_for_a_majority(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is being appended stays open."""
    monkeypatch.setattr(shared, "_LAST_APPEND_S", 0.0)
    clock, gate, asked = ManualClock(), Gate(), asyncio.Event()
    log = LocalLog(MemoryLog(), clock, run_blocking=gate)
    replica = SharedReplica(log, clock, run_blocking=gate)
    replica.session = "s"
    replica.start()
    await replica.stand(StandForElection("s", 1, "192.0.2.1:6440"), ORIGIN)

    async def append(*_: object, **__: object) -> int:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(log, "append", append)
    (waits,) = submit(replica, issue("a"))
    await asked.wait()
    await replica.stop()
    assert await outcomes([waits]) == [OutcomeOpen]


@on_a_loop
async def test_an_election_that_was_open_answers_no_command() -> None:
    """Found in the log later, it makes a leader as any other: followers have each command first."""
    clock, gate = ManualClock(), Gate()
    hesitant = HesitantLog(MemoryLog(), clock, run_blocking=gate)
    replica = SharedReplica(hesitant, clock, run_blocking=gate)
    replica.session = "s"
    held: list[Callable[[bool], None]] = []
    replica.acknowledge = lambda _, answer: held.append(answer)
    replica.start()
    hesitant.has_majority, hesitant.arrives = False, True
    with pytest.raises(OutcomeOpen):
        await replica.stand(StandForElection("s", 1, "192.0.2.1:6440"), ORIGIN)
    hesitant.has_majority = True
    await replica.writable.wait()
    assert replica.leads
    tasks = submit(replica, issue("a"))
    await settle()
    assert not any(task.done() for task in tasks)
    for answer in held:
        answer(True)
    assert await outcomes(tasks) == [1]
    await replica.stop()


@on_a_loop
async def test_a_replaced_leader_passes_nothing_on_for_another_replica() -> None:
    """Whether the next leader shall make the change is for that replica to say."""
    log, clock, gate = MemoryLog(), ManualClock(), Gate()
    leader, next_one = (
        SharedReplica(LocalLog(log, clock, run_blocking=gate), clock, run_blocking=gate)
        for _ in range(2)
    )
    leader.session, next_one.session = "a", "b"
    held: list[Callable[[bool], None]] = []
    passed_on: list[Command] = []

    async def forward(command: Command, _origin: Origin, _insist: bool) -> list[Event]:
        passed_on.append(command)
        return []

    leader.forward, leader.forwarded = forward, (IssueToken,)
    leader.acknowledge = lambda _, answer: held.append(answer)
    leader.start()
    await leader.stand(StandForElection("a", 1, "192.0.2.1:6440"), ORIGIN)
    open_one = asyncio.create_task(leader.carry_out(issue("appended"), ORIGIN))
    await settle()
    next_one.start()
    await next_one.stand(StandForElection("b", 2, "192.0.2.2:6440"), ORIGIN)
    leader.look()
    await settle()
    for answer in held:
        answer(False)  # nobody has said that the followers have it
    leader.acknowledge = lambda _, answer: answer(True)  # a refusal
    late_one = asyncio.create_task(leader.carry_out(issue("late"), ORIGIN))
    assert await outcomes([open_one, late_one]) == [LeaderLost, NotLeading]
    assert passed_on == []
    assert set(replayed(log).tokens) == {"appended"}
    await leader.stop()
    await next_one.stop()


@on_a_loop
async def test_a_log_that_lost_events_takes_no_command() -> None:
    """Whether the next append finds it or the log itself; the state stays as it was."""
    replica, hesitant = started(MemoryLog())
    await replica.submit(issue("a"), ORIGIN)
    hesitant.has_rewound = True
    assert await outcomes(submit(replica, issue("b"), issue("c"))) == [Unwritable] * 2
    assert isinstance(replica.failure, LogRewound)
    assert set(replica.state.tokens) == {"a"}

    found = LogRewound("nats://trial", "it was put back")
    other, _ = started(MemoryLog())
    other.look(found)
    await other.failed.wait()
    assert other.failure is found
    assert await outcomes(submit(other, issue("b"))) == [Unwritable]
    await replica.stop()
    await other.stop()


@on_a_loop
async def test_what_others_append_is_read_when_it_is_looked_for() -> None:
    """And observers hear of it, once, without a command of this replica's own."""
    log = MemoryLog()
    first, _ = started(log)
    second, _ = started(log.peer())
    heard: list[str] = []
    second.observe(lambda events: heard.extend(e.WhichOneof("kind") or "" for e in events))
    for command in (issue("a"), issue("b")):
        await first.submit(command, ORIGIN)
        second.look()
        await settle()
    assert second.state == first.state
    assert heard == ["token_issued", "token_issued"]
    await first.stop()
    await second.stop()


@on_a_loop
async def test_a_replica_that_another_one_replaced_appends_nothing() -> None:
    """Its session has ended with the other's start: it fails at the next look or command."""
    for looks in (True, False):
        log = MemoryLog()
        old, _ = started(log)
        old.session = START.session
        for command in (START, issue("t"), *register("n")):
            await old.submit(command, ORIGIN)
        new, _ = started(log.peer())
        await new.submit(replace(START, session="second"), ORIGIN)
        if looks:
            old.look()
            await old.failed.wait()
        accept = AcceptLink("n", "link", NOW_MS, session=START.session)
        assert await outcomes(submit(old, accept)) == [Unwritable]
        assert isinstance(old.failure, Replaced)
        assert not replayed(log).links
        await old.stop()
        await new.stop()


@given(
    st.lists(st.integers(1, 400), max_size=30),
    st.integers(200, 1000),
)
def test_a_record_is_never_larger_than_its_log_takes(sizes: list[int], limit: int) -> None:
    """Commands go into as many records as they need, in order; one that fits in none is refused."""
    waiting = [(issue(f"{number:03d}" + "x" * size), ORIGIN) for number, size in enumerate(sizes)]
    state, issued, refused = State(), [], 0
    while waiting:
        decided = decide_batch(state, waiting, 1, limit)
        payload = Batch(entries=decided.entries).SerializeToString()
        assert len(payload) <= limit
        assert decided.outcomes
        for outcome in decided.outcomes:
            if isinstance(outcome, RecordTooLarge):
                refused += 1
            else:
                assert isinstance(outcome, list)
                issued += [event.token_issued.token_id for event in outcome]
        state, waiting = decided.state, waiting[len(decided.outcomes) :]
    assert issued == sorted(issued)
    assert len(issued) + refused == len(sizes)
    assert state.seq == len(issued)
