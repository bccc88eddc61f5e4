"""The server's background work: jobs that are repeated, and watchers that report trouble."""

import asyncio
from collections.abc import Iterator
from itertools import islice
from typing import Final, Protocol

from structlog.typing import FilteringBoundLogger

from eventlog import SyncFailed, WriterReplaced
from nc import log_events
from nc.clock import Clock, now_ms
from nc.domain.decide import Command
from nc.domain.expiry import NEVER, has_passed
from nc.domain.links import Links
from nc.domain.nodes import ExpireNodes, Nodes
from nc.domain.tokens import ForgetExpiredTokens
from nc.replica.errors import Unwritable, WriteRefused
from nc.replica.replica import Replica
from nc.server.parts import PASSING_FAILURES, Job

# One sweep takes some milliseconds; a million tokens are swept in ten minutes of the day that
# expired ones are remembered for.
TOKENS_PER_SWEEP: Final = 2000

# How many links are checked before the event loop has its turn: a microsecond each.
LINKS_PER_TURN: Final = 200


async def repeat(job: Job, logger: FilteringBoundLogger) -> None:
    """Run a job again and again, until the log cannot be written any more."""
    while True:
        await asyncio.sleep(job.interval_s)
        try:
            await job.run()
        except Unwritable:  # `report_failure` reports it
            return
        except WriteRefused:  # `report_lack` reports it
            continue
        except PASSING_FAILURES as error:
            logger.error(log_events.TASK_FAILED, message=f"{job.name}: {error}")  # noqa: TRY400 - in a line


async def watch(task: "asyncio.Task[None]") -> None:
    """Wait for a task of another's; raises what it died of."""
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()


class Submit(Protocol):
    """Makes a change that the server itself wants."""

    async def __call__(self, command: Command, method: str) -> None: ...


class Sweep:
    """Drops the links of expired nodes at once, and expired tokens after their retention."""

    def __init__(self, replica: Replica, submit: Submit, clock: Clock) -> None:
        self._replica = replica
        self._submit = submit
        self._clock = clock
        self._tokens: Iterator[str] = iter(())
        self._links: Links | None = None  # when `_soonest_ms` was found
        self._nodes: Nodes | None = None
        self._soonest_ms = NEVER

    async def sweep(self) -> None:
        """Sweep once."""
        now = now_ms(self._clock)
        if has_passed(await self._soonest_expiry_ms(), now):
            await self._submit(ExpireNodes(now), "sweep")
        await self._submit(ForgetExpiredTokens(self._next_tokens(), now), "sweep")

    async def _soonest_expiry_ms(self) -> int:
        """When the first node that has a link expires; `NEVER` if none does.

        It is computed again only when links or nodes have changed.
        """
        state = self._replica.state
        if self._links is not state.links or self._nodes is not state.nodes:
            soonest_ms = NEVER
            for count, node_id in enumerate(state.links, 1):
                node = state.nodes.get(node_id)
                if node is not None and node.expires_at_ms != NEVER:
                    soonest_ms = min(soonest_ms or node.expires_at_ms, node.expires_at_ms)
                if count % LINKS_PER_TURN == 0:
                    await asyncio.sleep(0)
            self._links, self._nodes = state.links, state.nodes
            self._soonest_ms = soonest_ms
        return self._soonest_ms

    def _next_tokens(self) -> tuple[str, ...]:
        """Some tokens to check; over the sweeps, each of them in its turn."""
        if token_ids := tuple(islice(self._tokens, TOKENS_PER_SWEEP)):
            return token_ids
        self._tokens = iter(self._replica.state.tokens)  # all were checked: begin again
        return tuple(islice(self._tokens, TOKENS_PER_SWEEP))


class SetServing(Protocol):
    """Sets what health checks answer."""

    def __call__(self, *, serving: bool) -> None: ...


async def report_failure(
    replica: Replica, set_serving: SetServing, logger: FilteringBoundLogger
) -> None:
    """Report, once, that the log cannot be written any more.

    After most failures queries can go on. Not after these, which are raised: what the kernel holds
    in memory may never have reached the disk, or another process has the log and has gone on.
    """
    await replica.failed.wait()
    set_serving(serving=False)
    logger.critical(log_events.LOG_UNAVAILABLE, message=str(replica.failure))
    if isinstance(replica.failure, SyncFailed | WriterReplaced):
        raise replica.failure


async def report_lack(
    replica: Replica, set_serving: SetServing, logger: FilteringBoundLogger
) -> None:
    """Report that something is lacking to write the log, and that nothing is any more."""
    while True:
        await replica.lacking.wait()
        refusal = replica.refusal()
        logger.error(refusal.event, message=str(refusal))
        set_serving(serving=False)
        await replica.writable.wait()
        logger.info(log_events.LOG_WRITABLE)
        set_serving(serving=True)


async def report_failed_snapshots(replica: Replica, logger: FilteringBoundLogger) -> None:
    """Report each snapshot that could not be written."""
    snapshots = replica.snapshots
    while True:
        await snapshots.failed.wait()
        snapshots.failed.clear()
        logger.warning(log_events.SNAPSHOT_FAILED, message=str(snapshots.failure))
