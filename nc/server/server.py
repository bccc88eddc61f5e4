"""The composition root: `serve` puts a server together from its parts, and supervises it.

What begins last ends first: nodes are sent to other servers, the ports close, links are ended, the
log records the stop, and the replica writes what is left. All background work is in one task group;
a task that dies ends the server with its error.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from importlib.metadata import version
from types import TracebackType
from typing import Self

from nc import log_events
from nc.clock_watch import ClockWatch
from nc.hub.hub import Hub
from nc.metrics.sources import ServedMetrics, Sources
from nc.replica.replica import Replica
from nc.replica.shared import SharedReplica
from nc.replica.waiting import WaitingNodes
from nc.rpc.abuse import Abuse
from nc.rpc.admin.methods import admin_methods
from nc.rpc.api import Endpoints
from nc.rpc.call_counts import CallCounts
from nc.rpc.callers import Transport
from nc.rpc.edge import Edge
from nc.rpc.methods import Methods
from nc.rpc.replication.edge import SharedEdge
from nc.secrets import RequestIds, new_session
from nc.server import tasks
from nc.server.admin import admin_services
from nc.server.ending_certificates import EndingCertificates
from nc.server.extras import report_links, serve_metrics
from nc.server.membership import Membership, Wiring
from nc.server.mesh import mesh_parts
from nc.server.methods import public_methods
from nc.server.own_changes import OwnChanges
from nc.server.own_session import OwnSession
from nc.server.parts import Job, KeepUplink, Parts

VERSION = version("litekube-network-controller")

# How long calls under way may take to finish at a stop; the slowest of ours takes milliseconds.
STOP_GRACE_S = 5.0


def serve(parts: Parts) -> "Server":
    """Put a server together; it runs within `async with`.

    The block is cancelled when a background task dies, and its error is raised at the end of it.
    """
    replica = (Replica if parts.cluster is None else SharedReplica)(
        parts.log,
        parts.clock,
        run_blocking=parts.run_blocking,
        append_on_loop=parts.append_on_loop,
    )
    replica.snapshots.tail_events = parts.snapshot_tail_events
    replica.digests.interval_events = parts.digest_interval_events
    replica.session = new_session(parts.secrets)
    request_ids = RequestIds(parts.secrets)
    waiting = WaitingNodes()
    hub = Hub(
        replica,
        parts.network,
        parts.link_tls,
        token_ids=parts.token_ids,
        clock=parts.clock,
        request_ids=request_ids,
        log=parts.logger,
        interconnection=parts.interconnection,
        destinations=parts.allow_destination,
        limits=parts.link_limits,
        reclaim_after_ms=parts.node_limits.reclaim_after_ms,
        waiting=waiting,
    )
    return Server(parts, replica, hub, request_ids, waiting)


class Server:
    """A replica, its hub and its ports, from start to stop.

    Attributes:
        replica: the state, and the only way to change it.
        hub: the nodes' links.
        admin: the services of nc.admin.v1.
        submit: makes a change that the server itself wants.
        methods: what can be called, by path.
        ending_certificates: counts the nodes that must join again soon.
        abuse: counts wrong tokens, and connections that were hung up on.
        tasks: what runs in the background, by name; one that dies ends the server.
        metrics: where they are served; None: nowhere.
        endpoints: where clients find the server; there once it has started.
        membership: of a cluster, if it is one of several servers.
        waiting: the nodes that the log lacks.
    """

    endpoints: Endpoints

    def __init__(
        self,
        parts: Parts,
        replica: Replica,
        hub: Hub,
        request_ids: RequestIds,
        waiting: WaitingNodes,
    ) -> None:
        self.replica = replica
        self.hub = hub
        self._parts = parts
        self._failing: tasks.Failing = {}
        self.membership = None
        own = OwnChanges(replica, request_ids, parts.log.limits, self._decides)
        self.submit = own.submit
        self._session = OwnSession(parts, replica, self.submit, VERSION)
        self.admin = admin_services(self, parts, waiting, VERSION, self._failing)
        self.methods: Methods = {
            **public_methods(parts, replica, lambda: self.endpoints),
            **admin_methods(self.admin),
        }
        if parts.cluster is not None and isinstance(replica, SharedReplica):
            wiring = Wiring(
                *(replica, request_ids, own, lambda: self.methods, lambda: self.endpoints, waiting)
            )
            self.membership = Membership(parts, parts.cluster, wiring)
            self.methods = {**self.methods, **self.membership.methods}
            hub.is_current = self.membership.role.is_in_touch
            self.membership.send_away = hub.send_away
            hub.leads = lambda: replica.leads
            if (tls := parts.cluster.peer_tls) is not None:
                hub.join_mesh(mesh_parts(parts, tls, self.membership.peers, replica))
        self.ending_certificates = EndingCertificates(replica, parts.clock, parts.logger)
        self._edges: list[Edge] = []
        self._calls = CallCounts()
        self.waiting = waiting
        self.abuse = Abuse(parts.guesses_a_second, parts.clock, parts.logger)
        # from here on: a start may take long, and the clock be set meanwhile
        self._clock_watch = ClockWatch(parts.clock)
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._keep_uplink: KeepUplink | None = None
        self.metrics: ServedMetrics | None = None

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as started:
            await self._start(started)
            self._started = started.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._parts.logger.info(log_events.SERVER_STOPPING)
        try:
            await self._started.__aexit__(kind, error, traceback)
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None  # each was logged when it happened
        finally:
            denied = sum(edge.denied.total() for edge in self._edges)
            self._parts.logger.info(
                log_events.SERVER_STOPPED, denied=denied, wrong_tokens=self.abuse.wrong_tokens
            )

    def edge_of(self, transport: Transport) -> Edge:
        """Make the edge of a port that is secured in this way."""
        parts = self._parts
        edge = (Edge if self.membership is None else SharedEdge)(
            transport,
            parts.callers,
            lambda: self.replica.state,
            parts.token_ids.id_of,
            parts.clock,
            parts.secrets,
            parts.logger,
            parts.log_calls,
            self.abuse,
            self._calls,
        )
        if self.membership is not None:
            self.membership.serve_edge(edge)
        self._edges.append(edge)
        return edge

    async def record_installed(self, method: str = "certificates") -> None:
        """Record the administrator's certificate of the server's folder, if it is another one."""
        await (self.membership or self._session).record_installed(method)

    def _decides(self) -> bool:
        """Whether this server decides: alone, or as the leader of several."""
        return self.membership is None or self.membership.leads

    async def _then_record(self, run: Callable[[], Awaitable[None]]) -> None:
        """Run a job, which may renew certificates."""
        await run()
        await self.record_installed()

    async def _start(self, started: contextlib.AsyncExitStack) -> None:
        """Start part by part; `started` stops them again, the last one first."""
        parts = self._parts
        self.tasks["replica"] = self.replica.start()
        for warning in parts.log.snapshots.warnings:
            parts.logger.warning(log_events.SNAPSHOT_SKIPPED, message=warning)
        started.push_async_callback(self.replica.stop)
        if self.membership is None:
            await self._session.begin()
        started.push_async_callback(self.hub.stop)
        if self.membership is None:
            # before links end, so that it ends them
            started.push_async_callback(self._session.end, self.tasks["replica"])
        if parts.open_uplink is not None:
            uplink = parts.open_uplink(self.hub.switch)
            self._keep_uplink = await started.enter_async_context(uplink)
        await self._open_ports(started)
        await report_links(parts, self.hub, started)
        self.metrics = await serve_metrics(parts, self.metrics_sources(), started)
        group = await started.enter_async_context(asyncio.TaskGroup())
        for name, task in self.tasks.items():  # which replica, hub and ports end by themselves
            watcher = group.create_task(self._supervised(name, partial(tasks.watch, task)))
            started.callback(watcher.cancel)
        for name, work in self._background():
            self.tasks[name] = group.create_task(self._supervised(name, work), name=name)
            started.callback(self.tasks[name].cancel)

    def metrics_sources(self) -> Sources:
        return Sources(
            version=VERSION,
            replica=self.replica,
            role=None if self.membership is None else self.membership.role,
            hub=self.hub,
            calls=self._calls,
            abuse=self.abuse,
            waiting=self.waiting,
            watches=lambda: self.admin.events.source.tail.watches,
            facts=self.admin.server.facts,
            clock=self._parts.clock,
            clock_watch=self._clock_watch,
            run_blocking=self._parts.run_blocking,
        )

    async def _open_ports(self, started: contextlib.AsyncExitStack) -> None:
        parts, ports = self._parts, self._parts.rpc_ports
        started.push_async_callback(ports.stop, STOP_GRACE_S)
        started.callback(self.admin.stop)
        control, bootstrap = ports.open(self.methods, self.edge_of)
        listener = parts.listen_for_links()
        self.endpoints = Endpoints(
            advertised=parts.advertised[0],
            overlay_address=parts.network.server_address,
            control_port=control,
            bootstrap_port=bootstrap,
            link_port=listener.getsockname()[1],
            links=self.hub.reachable.told,
        )
        self.hub.reachable.own = tuple(
            (name, self.endpoints.link_port) for name in parts.advertised
        )
        self.tasks |= await ports.start()
        if self.membership is not None:  # others have to reach it before it has begun
            self.tasks |= await self.membership.enter(started, VERSION)
            started.push_async_callback(self.hub.reachable.send_all_away, self.hub)
        started.push_async_callback(self.hub.stop_accepting)
        self.tasks |= self.hub.start(listener)

    def _background(self) -> Iterator[tuple[str, Callable[[], Awaitable[None]]]]:
        """The server's own background tasks, by their names."""
        parts, logger = self._parts, self._parts.logger
        set_serving = (self.membership or parts.rpc_ports).set_serving
        sweep = tasks.Sweep(self.replica, self.submit, parts.clock, self._decides).sweep
        jobs = [job._replace(run=partial(self._then_record, job.run)) for job in parts.jobs]
        for job in (Job("sweep", parts.sweep_interval_s, sweep), *jobs):
            yield job.name, partial(tasks.repeat, job, logger, self._failing)
        watch = partial(tasks.watch_clock, self._clock_watch, jobs, logger, self._failing)
        yield "watch_clock", watch
        if self._keep_uplink is not None:
            yield "uplink", self._keep_uplink
        yield "watch_log", partial(tasks.watch_log, parts.log, self.replica)
        if parts.follows_log and self.membership is None:
            yield "follow_log", partial(tasks.follow_log, parts.log, self.replica)
        if self.metrics is not None:
            yield "metrics", self.metrics.keep
        for report in (tasks.report_failure, tasks.report_lack):
            yield report.__name__, partial(report, self.replica, set_serving, logger)
        yield "ending_certificates", self.ending_certificates.run
        snapshots = partial(tasks.report_failed_snapshots, self.replica, logger)
        yield "report_failed_snapshots", snapshots

    async def _supervised(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception as error:
            if error is self.replica.failure:
                raise  # `report_failure` has logged it
            self._parts.logger.critical(log_events.TASK_CRASHED, task=name, exc_info=error)
            raise
