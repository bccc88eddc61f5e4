"""What a server does by itself, again and again, and what it says when its log is in trouble."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import islice
from typing import Final, Protocol

from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.clock import Clock, now_ms
from nc.domain.decide import Command
from nc.domain.expiry import NEVER, has_passed
from nc.domain.links import Links
from nc.domain.nodes import ExpireNodes, Nodes
from nc.domain.tokens import ForgetExpiredTokens
from nc.replica.replica import DiskFull, Replica, Unwritable

# What one sweep looks at takes some milliseconds; a million tokens have their turn in ten minutes
# of the day that expired ones are remembered for.
TOKENS_PER_SWEEP: Final = 2000

# How many links are looked at before others have their turn: a microsecond each.
LINKS_IN_A_TURN: Final = 200


async def every(
    interval_s: float, chore: Callable[[], Awaitable[None]], log: FilteringBoundLogger
) -> None:
    """Do a chore again and again; one that fails is reported, and has its next time."""
    while True:
        await asyncio.sleep(interval_s)
        try:
            await chore()
        except Unwritable:  # it was reported when it happened
            return
        except DiskFull:  # as was this, and it will end
            continue
        except Exception as error:  # noqa: BLE001 - nobody else would hear of it
            message = f"{chore.__name__}: {error}"
            log.error(log_events.TASK_FAILED, message=message)  # noqa: TRY400 - in a line


class Submit(Protocol):
    """Lets the server itself change something."""

    async def __call__(self, command: Command, method: str) -> None:
        """Make it durable."""


class Sweep:
    """Lets go of what is expired: nodes' links at once, tokens after their retention."""

    def __init__(self, replica: Replica, submit: Submit, clock: Clock) -> None:
        self._replica = replica
        self._submit = submit
        self._clock = clock
        self._tokens: Iterator[str] = iter(())
        self._links: Links | None = None  # when `_soonest_ms` was found
        self._nodes: Nodes | None = None
        self._soonest_ms = NEVER

    async def sweep(self) -> None:
        """Do it once."""
        now = now_ms(self._clock)
        if has_passed(await self._soonest_expiry_ms(), now):
            await self._submit(ExpireNodes(now), "sweep")
        await self._submit(ForgetExpiredTokens(self._next_tokens(), now), "sweep")

    async def _soonest_expiry_ms(self) -> int:
        """When the first node that has a link expires; `NEVER` if none does.

        As long as nobody came, left or changed, it is what it was.
        """
        state = self._replica.state
        if self._links is not state.links or self._nodes is not state.nodes:
            soonest_ms = NEVER
            for count, node_id in enumerate(state.links, 1):
                node = state.nodes.get(node_id)
                if node is not None and node.expires_at_ms != NEVER:
                    soonest_ms = min(soonest_ms or node.expires_at_ms, node.expires_at_ms)
                if count % LINKS_IN_A_TURN == 0:
                    await asyncio.sleep(0)
            self._links, self._nodes = state.links, state.nodes
            self._soonest_ms = soonest_ms
        return self._soonest_ms

    def _next_tokens(self) -> tuple[str, ...]:
        """Some tokens to look at; over the sweeps, each of them in its turn."""
        token_ids = tuple(islice(self._tokens, TOKENS_PER_SWEEP))
        if not token_ids:  # all were looked at: begin again, with what there is now
            self._tokens = iter(self._replica.state.tokens)
        return token_ids


class SetServing(Protocol):
    """Tells whoever asks for our health."""

    def __call__(self, *, serving: bool) -> None:
        """From now on."""


async def report_failure(
    replica: Replica, set_serving: SetServing, log: FilteringBoundLogger
) -> None:
    """Say, once, that the log cannot be written any more."""
    await replica.failed.wait()
    set_serving(serving=False)
    log.critical(log_events.LOG_UNAVAILABLE, message=str(replica.failure))


async def report_full_disk(
    replica: Replica, set_serving: SetServing, log: FilteringBoundLogger
) -> None:
    """Say that the disk is full, and that there is room again."""
    while True:
        await replica.full.wait()
        log.error(log_events.LOG_FULL, message=str(DiskFull()))
        set_serving(serving=False)
        await replica.writable.wait()
        log.info(log_events.LOG_WRITABLE)
        set_serving(serving=True)


async def report_failed_snapshots(replica: Replica, log: FilteringBoundLogger) -> None:
    """Say that a snapshot could not be written."""
    snapshots = replica.snapshots
    while True:
        await snapshots.failed.wait()
        snapshots.failed.clear()
        log.warning(log_events.SNAPSHOT_FAILED, message=str(snapshots.failure))
