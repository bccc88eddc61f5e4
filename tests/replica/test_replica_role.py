"""Who may answer when a follower has more than the leader: an append whose outcome is open."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rpds import HashTrieMap

from eventlog.errors import LogBusy, LogRewound
from nc.domain.decide import Command, decide
from nc.domain.errors import ElectionLost
from nc.domain.leadership import Leader
from nc.domain.state import State
from nc.replica.errors import NotCurrent
from nc.replica.leases import NS, Granted
from nc.replica.role import Role
from nc.replica.shared import SharedReplica
from nc.replica.touch import CHANGE_WAIT_S
from tests.support.replica_bench import ManualClock, on_a_loop

SESSIONS = HashTrieMap({name: f"replica {name}" for name in ("a", "b", "c")})
LEADER = Leader("a", 1, "192.0.2.1:6440")


async def five() -> int:
    return 5


def role_of(
    session: str, clock: ManualClock, confirm: Callable[[], Awaitable[int]] = five
) -> tuple[Role, Any]:
    """A role, and its replica, which knows event 5."""
    observers: list[Callable[..., None]] = []
    replica = SimpleNamespace(
        session=session,
        state=State(seq=5, leader=LEADER, sessions=SESSIONS),
        leads=session == LEADER.session,
        is_writable=True,
        waits_for="",
        leader_lacks="",
        appended_ns=clock.monotonic_ns(),
        observe=observers.append,
    )

    role = Role(cast(SharedReplica, replica), f"replica {session}", clock, lambda: 5, confirm)
    return role, replica


def led(clock: ManualClock) -> tuple[Role, Any]:
    """The leader, which has heard both others, and may answer."""
    role, replica = role_of("a", clock)
    role.look()
    for session in ("b", "c"):
        role.heard(session, 1, 5, clock.monotonic_ns())
    assert role.may_answer()
    return role, replica


def test_a_leader_does_not_answer_with_less_than_a_follower_has() -> None:
    """Somebody may have seen it there; it takes links meanwhile, and answers once it has it."""
    clock = ManualClock()
    role, replica = led(clock)
    role.heard("b", 2, 6, clock.monotonic_ns())
    assert not role.may_answer()
    assert role.is_in_touch()
    replica.state = State(seq=6, leader=LEADER, sessions=SESSIONS)
    role.look()
    assert role.may_answer()


def test_another_follower_is_told_of_it() -> None:
    """What it is granted says so: it does not answer until it has that event, too."""
    clock = ManualClock()
    leader, _ = led(clock)
    follower, replica = role_of("c", clock)
    follower.granted(leader.grant("c")._replace(granted_ns=clock.monotonic_ns()))
    assert follower.may_answer()
    leader.heard("b", 2, 6, clock.monotonic_ns())
    follower.granted(leader.grant("c")._replace(granted_ns=clock.monotonic_ns()))
    assert not follower.may_answer()
    replica.state = State(seq=6, leader=LEADER, sessions=SESSIONS)
    assert follower.may_answer()
    clock.ns += 2 * NS
    assert not follower.is_in_touch()


async def test_nobody_waits_for_a_replica_that_is_cut_off() -> None:
    """So long after it was last in touch as an election takes, the next one is refused at once."""
    clock = ManualClock()
    follower, _ = role_of("c", clock)
    follower.granted(Granted(LEADER.epoch, clock.monotonic_ns(), 5))
    clock.ns += 2 * NS
    follower.look()
    waits = asyncio.create_task(follower.current(1000.0))
    await asyncio.sleep(0)
    assert not waits.done()
    waits.cancel()
    assert follower.touch.left_s(CHANGE_WAIT_S) > 0
    clock.ns += 1000 * NS
    assert follower.touch.is_lost
    assert follower.touch.left_s(CHANGE_WAIT_S) < 0
    with pytest.raises(NotCurrent):
        await follower.current(1000.0)
    follower.granted(Granted(LEADER.epoch, clock.monotonic_ns(), 5))
    assert follower.touch.out_s == 0
    await follower.current(1000.0)


def test_a_leader_that_is_cut_off_holds_no_answer_back() -> None:
    """What it has appended, and others may lack, stays open once it is out of touch for long."""
    clock = ManualClock()
    role, replica = led(clock)
    replica.is_writable = False
    role.look()
    outcomes: list[bool] = []
    replica.acknowledge(6, outcomes.append)
    clock.ns += 2 * NS
    role.look()
    assert not role.is_in_touch()
    assert outcomes == []
    clock.ns += 12 * NS
    role.look()
    assert outcomes == [False]


def test_a_leader_that_is_back_in_touch_waits_for_its_followers_again() -> None:
    """The append that shows that it still leads is acknowledged once they have it, too."""
    clock = ManualClock()
    role, replica = led(clock)
    replica.is_writable = False
    clock.ns += 2 * NS
    role.look()
    clock.ns += 13 * NS
    role.look()
    assert not role.is_in_touch()
    for session in ("b", "c"):  # they hear it again before the log does
        role.heard(session, 2, 5, 0)
    outcomes: list[bool] = []
    replica.appended_ns = clock.ns
    replica.state = State(seq=6, leader=LEADER, sessions=SESSIONS)
    replica.acknowledge(6, outcomes.append)
    assert outcomes == []
    for session in ("b", "c"):
        role.heard(session, 3, 6, clock.ns)
    assert outcomes == [True]


async def test_a_leader_whose_log_has_ended_does_not_try_again_and_again() -> None:
    """It appends a marker to renew its lease: now and then, and not in each turn of the loop."""
    turns, tries = 3000, 0

    async def fail() -> int:
        nonlocal tries
        tries += 1
        raise LogRewound("nats://log", "it has lost messages")

    clock = ManualClock()
    role, _ = role_of("a", clock, fail)
    clock.ns += 60 * NS  # an append gives a lease for less
    role.look()
    for _ in range(turns):
        await asyncio.sleep(0)
    role.stop()
    assert 1 <= tries < turns / 10


@on_a_loop
async def test_a_leader_renews_its_lease_whatever_the_last_try_has_died_of() -> None:
    """Else no server would answer any more, though all hear the leader, and none is elected."""
    tries, is_again = 0, asyncio.Event()

    async def fail() -> int:
        nonlocal tries
        tries += 1
        if tries > 1:
            is_again.set()
        raise KeyError("a bug")

    clock = ManualClock()
    role, _ = role_of("a", clock, fail)
    clock.ns += 60 * NS
    role.look()
    await is_again.wait()
    role.stop()


async def test_nobody_stands_against_who_was_elected_since_it_was_due() -> None:
    """As when all servers of a cluster start at once: each finds that the last leader has ended.

    Who was elected has not begun its session yet; one elected after it would have to keep quiet.
    """
    clock = ManualClock()
    role, replica = role_of("b", clock)
    replica.state = State(seq=5, leader=LEADER)
    role.begin()
    assert role.due_to_stand()
    stood: list[object] = []

    async def stand(command: object, origin: object) -> None:
        stood.append((command, origin))

    replica.stand = stand
    replica.state = State(seq=6, leader=Leader("c", 2, "192.0.2.3:6440", awaits_start=True))
    role.follow([])
    assert not await role.stand("192.0.2.2:6440", "request")
    assert stood == []


async def test_who_stands_while_the_server_before_it_is_lost_is_not_elected() -> None:
    """The leader would have had to ask that one; now its last append speaks for it, for longer."""
    clock = ManualClock()
    role, replica = role_of("new", clock)
    sessions = HashTrieMap({"a": "replica a", "before": "replica new"})
    replica.state = State(seq=5, leader=LEADER, sessions=sessions)
    role.begin()
    clock.ns += 4 * NS
    stood: list[Command] = []

    async def stand(command: Command, _origin: object) -> None:
        stood.append(command)

    replica.stand = stand
    await role.stand("192.0.2.2:6440", "request")
    lost = State(seq=6, leader=LEADER, sessions=sessions.remove("before"))
    assert decide(replica.state, *stood)
    with pytest.raises(ElectionLost):
        decide(lost, *stood)


async def test_a_follower_knows_that_the_leaders_log_has_no_majority() -> None:
    """A marker has failed, though no change was asked for; the next append is enough."""
    clock, tried = ManualClock(), asyncio.Event()

    async def fail() -> int:
        tried.set()
        raise LogBusy("nats://log", "no answer")

    leader, at_leader = role_of("a", clock, fail)
    follower, at_follower = role_of("b", clock)

    def told() -> str:
        leader.look()
        at_leader.waits_for = at_leader.leader_lacks  # as `SharedReplica` has it
        follower.granted(leader.grant("b"))
        return str(at_follower.leader_lacks)

    assert told() == ""
    clock.ns += 31 * NS
    leader.look()
    await tried.wait()
    assert "wait for a majority" in told()
    at_leader.appended_ns = clock.ns
    assert told() == ""
    leader.stop()
