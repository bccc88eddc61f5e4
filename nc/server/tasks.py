"""The server's background work: jobs that are repeated, and watchers that report trouble."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Final, Protocol

from structlog.typing import FilteringBoundLogger

from eventlog import AsyncLog, LogError, LogRewound, SyncFailed, WriterReplaced
from nc import log_events
from nc.clock import Clock, now_ms
from nc.clock_watch import LOOK_INTERVAL_S, ClockWatch, step_text
from nc.domain.decide import Command
from nc.domain.expiry import NEVER, has_passed
from nc.domain.invitations import ForgetInvitations
from nc.domain.links import Links
from nc.domain.nodes import ExpireNodes, ForgetUnregistered, Nodes
from nc.domain.replica_errors import ReplicaTooOld
from nc.domain.tokens import ForgetExpiredTokens
from nc.replica.errors import Replaced, Unwritable
from nc.replica.replica import Replica
from nc.server.own_changes import NOT_NOW
from nc.server.parts import PASSING_FAILURES, Job

# One sweep takes some milliseconds; a million tokens are swept in ten minutes of the day that
# expired ones are remembered for.
TOKENS_PER_SWEEP: Final = 2000

# How long the clock must have been steady before anything is forgotten: NTP takes a minute or two.
FORGET_AFTER_S: Final = 600.0

# How many links are checked before the event loop has its turn: a microsecond each.
LINKS_PER_TURN: Final = 200


Failing = dict[str, str]  # why the last run of a job failed, by its name


async def repeat(job: Job, logger: FilteringBoundLogger, failing: Failing) -> None:
    """Run a job again and again, until the log cannot be written any more."""
    while True:
        await asyncio.sleep(job.interval_s)
        if not await _run(job, logger, failing):
            return


async def _run(job: Job, logger: FilteringBoundLogger, failing: Failing) -> bool:
    """Run a job once; whether it may be run again."""
    try:
        await job.run()
        failing.pop(job.name, None)
    except Unwritable:  # `report_failure` reports it
        return False
    except NOT_NOW:  # `report_lack` reports what is lacking
        return True
    except PASSING_FAILURES as error:
        failing[job.name] = str(error)
        logger.error(log_events.TASK_FAILED, message=f"{job.name}: {error}")  # noqa: TRY400 - in a line
    return True


async def watch_clock(
    watch: ClockWatch, jobs: Sequence[Job], logger: FilteringBoundLogger, failing: Failing
) -> None:
    """Report each step of the clock, and run these jobs after it."""
    while True:
        await asyncio.sleep(LOOK_INTERVAL_S)
        if step_s := watch.look():
            logger.warning(log_events.CLOCK_STEPPED, message=step_text(step_s))
            for job in jobs:
                await _run(job, logger, failing)


async def watch(task: "asyncio.Task[None]") -> None:
    """Wait for a task of another's; raises what it died of."""
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()


class Submit(Protocol):
    """Makes a change that the server itself wants."""

    async def __call__(self, command: Command, method: str) -> None: ...


class Sweep:
    """Drops the links of expired nodes, and forgets tokens, invitations and nodes that are over.

    Links are dropped at once, but after a step forward of the clock only when it is steady again.
    What is forgotten cannot be brought back, so the clock is doubted for longer then, and after
    each start, too: the machine's clock may be wrong until NTP has set it.
    """

    def __init__(
        self,
        replica: Replica,
        submit: Submit,
        clock: Clock,
        decides: Callable[[], bool] = lambda: True,  # of several servers, the leader alone
    ) -> None:
        self._replica = replica
        self._decides = decides
        self._submit = submit
        self._clock = clock
        self._watch = ClockWatch(clock)
        self._forget_watch = ClockWatch(clock, steady_after_s=FORGET_AFTER_S, is_trusted=False)
        self._tokens: Iterator[str] = iter(())
        self._unregistered: Iterator[str] = iter(())
        self._links: Links | None = None  # when `_soonest_ms` was found
        self._nodes: Nodes | None = None
        self._soonest_ms = NEVER

    async def sweep(self) -> None:
        """Sweep once."""
        self._look_at_clock()  # also while another one decides: a step is doubted from then on
        if not self._decides():
            return
        soonest_ms = await self._soonest_expiry_ms()
        now = now_ms(self._clock)
        self._look_at_clock()
        if self._watch.is_steady and has_passed(soonest_ms, now):
            await self._submit(ExpireNodes(now), "sweep")
        if self._forget_watch.is_steady:
            await self._submit(ForgetExpiredTokens(self._next_tokens(), now), "sweep")
            if node_ids := self._next_unregistered():
                await self._submit(ForgetUnregistered(node_ids, now), "sweep")
            if self._replica.state.membership.invitations:
                with suppress(ReplicaTooOld):  # they are remembered until it is upgraded
                    await self._submit(ForgetInvitations(now), "sweep")

    def _look_at_clock(self) -> None:
        self._watch.look()
        self._forget_watch.look()

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

    def _next_unregistered(self) -> tuple[str, ...]:
        """Some unregistered nodes to check, as `_next_tokens`."""
        if node_ids := tuple(islice(self._unregistered, TOKENS_PER_SWEEP)):
            return node_ids
        self._unregistered = iter(self._replica.state.unregistered)
        return tuple(islice(self._unregistered, TOKENS_PER_SWEEP))


# What is in memory may not be in the log: it never reached the disk, or is not there any more, or
# another process has the log and has gone on.
FATAL: Final = (SyncFailed, WriterReplaced, LogRewound, Replaced)


class SetServing(Protocol):
    """Sets what health checks answer."""

    def __call__(self, *, serving: bool) -> None: ...


async def report_failure(
    replica: Replica, set_serving: SetServing, logger: FilteringBoundLogger
) -> None:
    """Report, once, that the log cannot be written any more.

    After most failures queries can go on. Not after `FATAL` ones, which are raised.
    """
    await replica.failed.wait()
    set_serving(serving=False)
    logger.critical(log_events.LOG_UNAVAILABLE, message=str(replica.failure))
    if isinstance(replica.failure, FATAL):
        raise replica.failure


async def watch_log(log: AsyncLog, replica: Replica) -> None:
    """Tell the replica when the log can neither be appended to nor read any more."""
    try:
        await log.watch()
    except LogError as error:
        replica.look(error)


async def follow_log(log: AsyncLog, replica: Replica) -> None:
    """Let the replica read what others append."""
    async for record in log.follow(replica.state.seq):
        if record.last_seq > replica.state.seq:
            replica.look()


async def report_lack(
    replica: Replica, set_serving: SetServing, logger: FilteringBoundLogger
) -> None:
    """Report that something is lacking to write the log, and that nothing is any more."""
    while True:
        await replica.lacking.wait()
        refusal = replica.refusal()
        logger.error(refusal.event, message=str(refusal), reason=replica.lack)
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
