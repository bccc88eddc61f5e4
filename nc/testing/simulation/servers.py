"""A simulated server: one life of the server's process, put together by `serve`."""

import asyncio
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from eventlog import EventLog
from eventlog.testing import PowerLoss
from nc import log_events
from nc.clock import Clock
from nc.domain.levels import LEVEL
from nc.domain.network import Network
from nc.hub.ports import PeerPort, SwitchPort
from nc.net.wire import Frame
from nc.rpc.methods import Methods
from nc.testing.contract.history import Answer
from nc.testing.contract.laws.cluster import NOTHING_CRASHES, ONE_LEADER
from nc.testing.contract.operations import Call
from nc.testing.simulation.log_view import LogView
from nc.testing.simulation.loop import Life, first_of
from nc.testing.simulation.machines import listening_log
from nc.testing.targets.calls import Names
from nc.testing.targets.server import LocalServer

if TYPE_CHECKING:
    from nc.testing.simulation.cluster import Cluster

T = TypeVar("T")

# A trial has some hundred events, and should have some snapshots and digests.
_SNAPSHOT_EVENTS: Final = 8
_DIGEST_EVENTS: Final = 20

# How long a disk operation takes at most, and for what share of them.
_DISK_S: Final = ((0.5, 0.0001), (0.95, 0.0005), (1.0, 0.004))

_OUR_FAULTS: Final = {
    log_events.LINK_CRASHED,
    log_events.TASK_FAILED,
    log_events.TASK_CRASHED,
    log_events.RPC_CRASHED,
}


class SimulatedServer(LocalServer):
    """A server for as long as its process lives.

    Args:
        log: closed by a clean stop; a view of the log that several servers share.
        number: of the server in the cluster's network.

    Attributes:
        life: its process.
        power_is_lost: set once the disk's power is.
        is_stopping: calls may be rejected.
    """

    def __init__(
        self, cluster: "Cluster", name: str, log: EventLog | LogView, number: int, clock: Clock
    ) -> None:
        self.life = Life()
        self.power_is_lost = log.power_is_lost if isinstance(log, LogView) else asyncio.Event()
        self.is_stopping = False
        self.log = log
        self.name = name
        self._cluster = cluster
        several: dict[str, Any] = {}
        if isinstance(log, LogView) and cluster.several is not None:
            self.life.uplink = ip = cluster.network.addresses[number]
            parts = cluster.several.parts(log, ip, clock)
            several = {"cluster": parts, "advertised": (ip,)}
        super().__init__(
            **several,
            level=LEVEL if cluster.several is None else cluster.several.levels[number],
            name=name,
            log=log,
            shares_log=bool(several),
            follows_log=bool(several),
            network=Network.parse(cluster.plan.network),
            token_ids=cluster.token_ids,
            clock=clock,
            secrets=cluster.chance,
            logger=listening_log(self._hear),
            listen_for_links=lambda: cast("Any", cluster.network.listen(self.life, number)),
            run_blocking=self._run_blocking,
            append_on_loop=False,  # every append takes the disk's time
            snapshot_tail_events=_SNAPSHOT_EVENTS,
            digest_interval_events=_DIGEST_EVENTS,
        )
        if several:
            self._watch_acknowledgements()
            self._watch_hops()

    @property
    def methods(self) -> Methods:
        return self.server.methods

    @property
    def leads(self) -> bool:
        """Whether it leads others, as far as it knows."""
        membership = self.server.membership
        return membership is not None and membership.leads

    def _watch_acknowledgements(self) -> None:
        """See that they come from one leader after the other."""
        replica: Any = self.replica
        acknowledge = replica.acknowledge

        def watched(seq: int, answer: Callable[[bool], None]) -> None:
            epoch, leads, several = replica.state.leader.epoch, replica.leads, self._cluster.several

            def answered(is_known: bool) -> None:
                if is_known and leads and not self.life.is_over and several is not None:
                    what = (
                        f"{self.name}, leader {epoch}, acknowledges event {seq} after a later one"
                    )
                    self._cluster.saw(ONE_LEADER, what, holds=epoch >= several.last_epoch)
                    several.last_epoch = max(several.last_epoch, epoch)
                answer(is_known)

            acknowledge(seq, answered)

        replica.acknowledge = watched

    def _watch_hops(self) -> None:
        """Count how often each packet comes from another server."""
        switch: Any = self.hub.switch
        receive = switch.receive

        def watched(sender: SwitchPort, frame: Frame) -> None:
            if isinstance(sender, PeerPort):
                self._cluster.traffic.hop(frame)
            receive(sender, frame)

        switch.receive = watched

    async def answer(self, operation: Call, names: Names, request_id: str) -> Answer | None:
        """The answer to a client; None if this life ends before it."""
        task = self.life.run(self.ports.call(operation, names, request_id))
        await first_of(task, self.life.over.wait())
        return task.result() if task.done() and not task.cancelled() else None

    def require_power(self) -> None:
        """Check that the power has not failed.

        Raises:
            PowerLoss: it has.
        """
        if self.power_is_lost.is_set():
            raise PowerLoss

    async def start(self) -> None:
        if isinstance(self.log, LogView):
            self.life.run(self.log.run())
            self.life.run(self.log.keep_copy())
        await super().start()

    async def stop(self) -> None:
        self.is_stopping = True
        await super().stop()
        try:
            if isinstance(self.log, LogView):
                await self.log.close()
            else:
                self.log.close()
        except PowerLoss:
            self.power_is_lost.set()

    async def _run_blocking(self, function: Callable[[], T], /) -> T:
        """Run what blocks for the disk, as if another thread did while this one goes on."""
        await self._disk_works()
        if self.life.is_over:
            await asyncio.Event().wait()
        try:
            done = function()
        except PowerLoss:
            self.power_is_lost.set()
            await asyncio.Event().wait()  # for ever
            raise
        await self._disk_works()
        return done

    async def _disk_works(self) -> None:
        chance = self._cluster.chance
        draw = chance.random()
        longest_s = next(longest_s for share, longest_s in _DISK_S if draw < share)
        await asyncio.sleep(longest_s * chance.random())

    def _hear(self, event: str, fields: dict[str, Any]) -> None:
        if event in _OUR_FAULTS and not self.life.is_over:
            error = sys.exc_info()[1] or fields.get("exc_info")
            what = f"{event}: {fields.get('message') or repr(error)}"
            self._cluster.saw(NOTHING_CRASHES, what, holds=False)
        if event == log_events.REPLICA_LOST and self.leads:  # others may read it much later
            self._cluster.lost(fields["session"])
