"""How a leader that stops hands over: another one is elected first, and leads at once.

    leader    takes no change ──▶ has acknowledged all ──▶ offers ──▶ reads the election ──▶ stops
                                                             │              ▲
    follower                                                 └──▶ stands ──▶ leads ──▶ quiet is over

After any other election the next leader keeps quiet until no lease can be left that an earlier one
gave. Here the leader has stopped to give any, and says who may have one: quiet is over once each of
those follows the next leader, since what follows it is waited for. So does the leader itself, which
goes on as a follower until then: its nodes keep their links until others can take them.

A follower that does not stand in time, as one that stops too or is of an older version, is left
out. If none does, the leader stops as it is, and the others find that out.
"""

import asyncio
from collections.abc import Callable, Container
from contextlib import suppress
from functools import partial
from typing import Final

from nc.clock import Clock
from nc.replica.role import Role

# How long a stop waits for the next leader, and for one follower: an election takes milliseconds,
# if the servers of NATS are well.
HAND_OVER_S: Final = 3.0
_EACH_S: Final = 1.0

_LOOK_S: Final = 0.05


async def hand_over(role: Role, clock: Clock) -> None:
    """Have a follower elected, if one can be; whoever calls it calls `role.stop` next.

    Nothing that was granted before that ends later than was agreed: no follower gets a lease any
    more once one is asked to stand.
    """
    replica = role.replica
    is_alone = not any(session != replica.session for session in replica.state.sessions)
    if role.leases is None or is_alone or not replica.is_writable:
        return
    replica.hands_over = True
    with suppress(TimeoutError):
        async with asyncio.timeout(HAND_OVER_S):
            await _all_is_acknowledged(role, clock)
            if _left(role, ()):
                await _log_is_writable(role, clock.monotonic_ns())
                await _offer_to_each(role)


async def quiet_is_over(role: Role, clock: Clock) -> None:
    """Wait until this replica acknowledges changes, if it leads."""

    def is_quiet() -> bool:
        return role.leases is not None and clock.monotonic_ns() < role.leases.quiet_until_ns

    await _wait_while(is_quiet)


async def _all_is_acknowledged(role: Role, clock: Clock) -> None:
    """Wait until no change is under way, and nobody has a lease of a leader before this one."""
    await quiet_is_over(role, clock)
    queue = role.replica.queue
    await _wait_while(lambda: role.leases is not None and (role.leases.waits or bool(queue)))


async def _log_is_writable(role: Role, since_ns: int) -> None:
    """Wait until an append has succeeded that began by now: an election will, too."""

    def is_unknown() -> bool:
        role.confirm()
        return role.leases is not None and role.leases.appended_ns < since_ns

    await _wait_while(is_unknown)


async def _offer_to_each(role: Role) -> None:
    """Ask one follower after the other to stand, until another one leads."""
    asked: set[str] = set()
    while role.leases is not None and (left := _left(role, asked)):
        role.leases.successor = left[0]
        asked.add(left[0])
        with suppress(TimeoutError):
            async with asyncio.timeout(_EACH_S):
                await _wait_while(partial(_may_be_elected, role, left[0]))


def _left(role: Role, asked: Container[str]) -> list[str]:
    """The followers that were not asked to stand yet, that with the most first."""
    sessions = role.replica.state.sessions
    able = [] if role.leases is None else role.leases.successors(sessions)
    return [session for session in able if session not in asked]


def _may_be_elected(role: Role, session: str) -> bool:
    return role.leases is not None and session in role.leases.named()


async def _wait_while(holds: Callable[[], bool]) -> None:
    while holds():  # noqa: ASYNC110 - not only events end it, but time, too
        await asyncio.sleep(_LOOK_S)
