"""Plays a plan: each action in its time; then all faults end, and the cluster must recover."""

import asyncio
import gc
from functools import partial
from typing import Any, Final

from eventlog import LogUnavailable
from eventlog.testing import PowerLoss
from nc.testing.contract.laws.cluster import NOTHING_CRASHES, SAME_STATE, STARTS
from nc.testing.contract.operations import CheckHealth, CheckState, IssueToken, Port, Redeem
from nc.testing.search.choices import WRONG_TOKENS
from nc.testing.simulation.actions import Plan
from nc.testing.simulation.audit import Audit
from nc.testing.simulation.chronicle import Chronicle
from nc.testing.simulation.cluster import Cluster
from nc.testing.simulation.executor import Executor
from nc.testing.simulation.field_review import FieldReview
from nc.testing.simulation.loop import SimulatedLoop
from nc.testing.simulation.network import in_place_of_sockets
from nc.testing.simulation.several import AFTER_S

# A silent link is noticed in 60 s, an agent that was refused waits up to 300 s, and a dial may take
# 15 s; twice that, and a server that has to be started first.
BOUND_S: Final = 800

_LONGEST_START_S: Final = 120  # it may be down for a while
_SOON_S: Final = 0.1

# More than the 10 s that a node has for its handshake: it may have left without a word in it.
_QUIET_S: Final = 12.0
_LAST_TURNS: Final = 5  # seconds in which what was ended releases its resources

# picows keeps an exception with this text to itself when a dial is given up at the same time.
_DIAL_GIVEN_UP: Final = "websocket handshake timeout"


def play(plan: Plan) -> Chronicle:
    """Play a plan from beginning to end; returns what was observed."""
    loop = SimulatedLoop()
    was_collecting = gc.isenabled()
    gc.disable()  # what it collects must not depend on what was there before
    try:
        return loop.run_until_complete(_play(plan, loop))
    finally:
        _end_tasks(loop)
        loop.close()
        if was_collecting:
            gc.enable()


async def _play(plan: Plan, loop: SimulatedLoop) -> Chronicle:
    cluster = Cluster(plan, loop)

    def failed(_loop: object, context: dict[str, Any]) -> None:
        error = context.get("exception")
        is_given_up = isinstance(error, TimeoutError) and str(error) == _DIAL_GIVEN_UP
        # for these `Site` ends the server
        is_simulated = isinstance(error, PowerLoss | LogUnavailable)
        if not (is_given_up or is_simulated):
            cluster.saw(NOTHING_CRASHES, f"{context['message']}: {error!r}", holds=False)

    loop.set_exception_handler(failed)
    with in_place_of_sockets(cluster.network), cluster.certificates.in_place_of_files():
        review = FieldReview(cluster)
        await _live(cluster, review)
        cluster.finish()
        if review.is_needed:
            review.look_at_log()
        cluster.end()
        await asyncio.sleep(_LAST_TURNS)
    return cluster.chronicle


def _end_tasks(loop: SimulatedLoop) -> None:
    """Cancel the tasks that are left: many, if the play was interrupted."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks, timeout=_LAST_TURNS))


async def _live(cluster: Cluster, review: FieldReview) -> None:
    executor, audit = Executor(cluster), Audit(cluster)
    for site in cluster.sites:
        site.begin()
    await _all_serve(cluster)
    cluster.spawn(audit.run())
    if review.is_needed:
        cluster.spawn(review.watch())
    for action in cluster.plan.actions:
        if (wait_s := action.at_ms / 1000 - cluster.now_s) > 0:
            await asyncio.sleep(wait_s)
        if cluster.cannot_start:
            return
        action.begin(executor)
    await executor.repair()
    if cluster.several is not None:
        await asyncio.sleep(AFTER_S + 1)
        audit.look_for_survivors(cluster.several.log)
        if cluster.several.log.is_broken:
            return
    if not await _all_serve(cluster):
        cluster.saw(STARTS, "not every server serves again", holds=False)
        return
    await _settle(cluster, audit)
    if review.is_needed:
        review.look_at_end()


async def _all_serve(cluster: Cluster) -> bool:
    """Wait until every server serves, for some time."""
    try:
        async with asyncio.timeout(_LONGEST_START_S):
            for site in cluster.sites:
                await site.up.wait()
    except TimeoutError:
        return False
    return True


async def _settle(cluster: Cluster, audit: Audit) -> None:
    """Give every agent the time that it may take, and look."""
    await _until_quiet(cluster, audit)
    audit.look_for_missing()
    for name in [*cluster.machines]:
        await cluster.call(CheckState(name))
    if cluster.several is not None:
        await _ask_all(cluster)
    for operation in (CheckHealth, partial(Redeem, WRONG_TOKENS[1], "nobody")):
        for replica, port in enumerate(Port):  # one right after the other, to be compared
            await cluster.call(operation(port=port), replica)
    await audit.try_packets()
    before = audit.compare_links(set(), is_quiet=True)
    await asyncio.sleep(_SOON_S if before else 0)  # a server may be reading the other one's event
    audit.compare_links(before, is_quiet=True)
    await asyncio.sleep(0 if audit.agree() else _SOON_S)
    cluster.saw(SAME_STATE, "the states differ", holds=audit.agree())


async def _until_quiet(cluster: Cluster, audit: Audit) -> None:
    """Wait until every agent has been connected for some time, over one and the same link.

    An agent whose connection has just broken may not know yet, and try again only after a while.
    """
    end_s = cluster.now_s + BOUND_S
    while cluster.now_s < end_s:
        if audit.missing():
            await asyncio.sleep(1)
            continue
        links = _link_ids(cluster)
        await asyncio.sleep(_QUIET_S)
        if links == _link_ids(cluster) and not audit.missing():
            return


def _link_ids(cluster: Cluster) -> set[str]:
    return {link.link_id for link in cluster.state.links.values()}


async def _ask_all(cluster: Cluster) -> None:
    """Have each server answer, and carry out a command."""
    for replica, site in enumerate(cluster.sites):
        for operation in (
            IssueToken(f"last token {replica}", 10),
            *map(CheckState, cluster.machines),
        ):
            is_answered = await cluster.call(operation, replica) is not None
            cluster.saw(SAME_STATE, f"{site.name} gives no answer", holds=is_answered)
