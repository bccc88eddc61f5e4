"""A cluster's life: each act in its time; then all is made well, and must be well soon."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from nc.testing.choices import WRONG_TOKENS
from nc.testing.operations import CheckHealth, CheckState, IssueToken, Port, Redeem, SetExpiries
from nc.testing.simulation.acts import (
    Act,
    Break,
    BreakLink,
    Call,
    DuplicateNode,
    Expire,
    FailSync,
    FillDisk,
    Join,
    Kill,
    Partition,
    PowerCut,
    Restart,
    SendPackets,
    SetClock,
    StopReading,
    SwitchOff,
    SwitchOn,
)
from nc.testing.simulation.audit import Audit
from nc.testing.simulation.cluster import Cluster
from nc.testing.simulation.laws import STARTS
from nc.testing.simulation.machines import Machine
from nc.testing.simulation.site import Site

# A silent link is noticed in 60 s, an agent that was turned away waits 20 s, and a dial may take
# 15 s; twice that, and a server that has to be started first.
BOUND_S: Final = 200

_LONGEST_START_S: Final = 120  # it may be down for a while
_POWER_HOLDS_S: Final = 1.0  # an idle disk takes no steps
_QUIET_S: Final = 8.0


async def live(cluster: Cluster) -> None:
    """Play the cluster's plan."""
    acts = Acts(cluster)
    audit = Audit(cluster)
    for site in cluster.sites:
        site.begin()
    await _served(cluster)
    if cluster.plan.is_shared:
        cluster.spawn(cluster.spread_news())
    cluster.spawn(audit.look_again_and_again())
    for act in cluster.plan.acts:
        if (wait_s := act.at_ms / 1000 - cluster.now_s) > 0:
            await asyncio.sleep(wait_s)
        if cluster.cannot_start:
            return
        acts.begin(act)
    await acts.make_well()
    if not await _served(cluster):
        cluster.saw(STARTS, "not every server serves again", holds=False)
        return
    await _settle(cluster, audit)


async def _served(cluster: Cluster) -> bool:
    """Wait until every server serves, for some time."""
    try:
        async with asyncio.timeout(_LONGEST_START_S):
            for site in cluster.sites:
                await site.up.wait()
    except TimeoutError:
        return False
    return True


async def _settle(cluster: Cluster, audit: Audit) -> None:
    """Give everybody the time that they may take, and look."""
    for _ in range(BOUND_S):
        if not audit.missing():
            break
        await asyncio.sleep(1)
    audit.look_for_missing()
    await asyncio.sleep(_QUIET_S)
    for name in [*cluster.machines]:
        await cluster.call(CheckState(name))
    for operation in (CheckHealth, partial(Redeem, WRONG_TOKENS[1], "nobody")):
        for replica, port in enumerate(Port):  # one right after the other, to be compared
            await cluster.call(operation(port=port), replica)
    await audit.try_packets()
    audit.compare_links(None)


class Acts:
    """Does what acts say.

    Args:
        cluster: where.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._under_way: dict[asyncio.Task[Any], None] = {}
        self._endings: dict[asyncio.TimerHandle, Callable[[], None]] = {}
        self._tokens = 0

    def begin(self, act: Act) -> None:
        """Its time has come."""
        cluster = self._cluster
        match act:
            case Join(_, node, replica):
                self._do(self._join(node, replica))
            case Call(_, operation, replica):
                self._do(cluster.call(operation, replica))
            case Expire(_, node, in_s, replica):
                at_s = cluster.clock.now_ns() // 10**9 + in_s if in_s else 0
                self._do(cluster.call(SetExpiries(((node, at_s),)), replica))
            case SetClock(_, by_ms):
                cluster.tell(f"clocks jump by {by_ms / 1000:+g} s")
                cluster.clock.jumped_ms += by_ms
            case PowerCut() | Kill() | Restart() | FillDisk() | FailSync():
                self._to_server(act)
            case Partition(_, nodes, for_s):
                self._partition(nodes, for_s)
            case _:
                if act.node in cluster.machines:
                    self._to_machine(act, cluster.machines[act.node])

    async def make_well(self) -> None:
        """End what goes on for a while, and wait until whoever asked has been answered."""
        for timer, end in list(self._endings.items()):
            timer.cancel()
            end()
        self._endings.clear()
        cluster = self._cluster
        cluster.tell("all is made well")
        cluster.network.mend_all()
        for site in cluster.sites:
            site.mend_disk()
        if self._under_way:
            await asyncio.wait(list(self._under_way), timeout=_LONGEST_START_S)

    def _do(self, work: Awaitable[Any]) -> None:
        task = asyncio.ensure_future(work)
        self._under_way[task] = None
        task.add_done_callback(self._under_way.pop)

    def _for(self, seconds: float, end: Callable[[], None]) -> None:
        """Do the opposite later, or when all is made well."""

        def ended() -> None:
            self._endings.pop(timer, None)
            end()

        timer = asyncio.get_running_loop().call_later(seconds, ended)
        self._endings[timer] = end

    async def _join(self, node: str, replica: int) -> None:
        cluster = self._cluster
        self._tokens += 1
        token = f"token of {node}"
        issued = await cluster.call(IssueToken(token, 10), replica)
        if issued is None or not issued.is_ok or node in cluster.machines:
            return
        joined = await cluster.call(Redeem(token, node), replica)
        if joined is not None and joined.is_ok:
            cluster.machines[node] = cluster.add_machine(node, node, joined)
            cluster.enrolments[node] = joined
            cluster.machines[node].switch_on()

    def _partition(self, nodes: tuple[str, ...], for_s: int) -> None:
        cluster = self._cluster
        cluster.tell(f"nothing comes through to {', '.join(nodes)} for {for_s} s")
        for node in nodes:
            cluster.network.cut_off(node)

        def mend() -> None:
            for node in nodes:
                cluster.network.mend(node)

        self._for(for_s, mend)

    def _to_machine(self, act: Any, machine: Machine) -> None:  # noqa: C901 - a table
        cluster = self._cluster
        match act:
            case SwitchOff(_, _, silently):
                if machine.is_on:
                    how = ", and nobody is told" if silently else ""
                    cluster.tell(f"{machine.name} is switched off{how}")
                    machine.switch_off(silently=silently)
            case SwitchOn():
                if not machine.is_on:
                    cluster.tell(f"{machine.name} is switched on")
                    machine.switch_on()
            case DuplicateNode(_, node, for_s):
                self._twin(node, for_s)
            case BreakLink(_, _, how):
                cluster.tell(f"the connection of {machine.name} breaks: {how.value}")
                if how is Break.SILENTLY:
                    cluster.network.sever(machine.name)
                else:
                    cluster.network.reset(machine.name, at_server=how is Break.AT_SERVER)
            case StopReading(_, _, for_s):
                cluster.tell(f"{machine.name} reads nothing for {for_s} s")
                cluster.network.stall(machine.name, is_stalled=True)
                self._for(for_s, lambda: cluster.network.stall(machine.name, is_stalled=False))
            case SendPackets(_, _, to, count, size_bytes):
                if to in cluster.machines and (address := cluster.machines[to].address):
                    for _ in range(count):
                        cluster.send_packet(machine, address, size_bytes)

    def _twin(self, node: str, for_s: int) -> None:
        cluster = self._cluster
        twin = cluster.add_machine(
            f"twin {len(cluster.twins) + 1} of {node}", node, cluster.enrolments[node]
        )
        cluster.twins.append(twin)
        cluster.tell(f"{twin.name} is switched on for {for_s} s")
        twin.switch_on()
        self._for(for_s, lambda: twin.switch_off(silently=False))

    def _to_server(self, act: Any) -> None:
        cluster, site = self._cluster, self._cluster.site_of(act.replica)
        match act:
            case PowerCut():
                site.disk.power_fails_at = site.disk.steps + act.at_step
                self._do(self._cut_power(act, site))
            case Kill(_, down_s) if site.server is not None:
                cluster.tell(f"{site.name}'s process is killed")
                site.end_server(silently=False, down_s=down_s)
            case Restart(_, down_s):
                self._do(site.stop_server(down_s))
            case FillDisk(_, for_s):
                cluster.tell(f"{site.name}'s disk is full for {for_s} s")
                site.fill_disk(1)
                self._for(for_s, lambda: site.fill_disk(-1))
            case FailSync(_, in_steps):
                site.fail_sync(in_steps)

    async def _cut_power(self, act: PowerCut, site: Site) -> None:
        cluster, server = self._cluster, site.server
        if server is None:
            return
        try:
            async with asyncio.timeout(_POWER_HOLDS_S):
                await server.power_is_lost.wait()
        except TimeoutError:
            pass
        if site.server is server:
            cluster.tell(f"{site.name}'s power fails")
            site.lose_power(act.keep, act.seed, act.down_s)
