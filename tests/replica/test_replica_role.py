"""Who may answer when a follower has more than the leader: an append whose outcome is open."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from rpds import HashTrieMap

from nc.domain.leadership import Leader
from nc.domain.state import State
from nc.replica.leases import NS
from nc.replica.role import Role
from nc.replica.shared import SharedReplica
from tests.support.replica_bench import ManualClock

SESSIONS = HashTrieMap({name: f"replica {name}" for name in ("a", "b", "c")})
LEADER = Leader("a", 1, "192.0.2.1:6440")


def role_of(session: str, clock: ManualClock) -> tuple[Role, Any]:
    """A role, and its replica, which knows event 5."""
    observers: list[Callable[..., None]] = []
    replica = SimpleNamespace(
        session=session,
        state=State(seq=5, leader=LEADER, sessions=SESSIONS),
        leads=session == LEADER.session,
        is_writable=True,
        appended_ns=clock.monotonic_ns(),
        observe=observers.append,
    )

    async def confirm() -> int:
        return 5

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
