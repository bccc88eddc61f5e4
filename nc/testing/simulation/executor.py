"""Carries out what the actions of a plan say, on a cluster."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from nc.testing.contract.operations import IssueToken, Redeem, SetExpiries
from nc.testing.simulation import actions as act
from nc.testing.simulation.cluster import Cluster
from nc.testing.simulation.faults import begin_fault
from nc.testing.simulation.machines import Machine
from nc.testing.simulation.site import Site

_LONGEST_CALL_S: Final = 120  # a server may be down for a while
_POWER_HOLDS_S: Final = 1.0  # an idle disk takes no steps


class Executor:
    """Begins actions, and ends those that last."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._under_way: dict[asyncio.Task[Any], None] = {}
        self._endings: dict[asyncio.TimerHandle, Callable[[], None]] = {}

    def begin(self, action: act.Action) -> None:
        cluster = self._cluster
        match action:
            case act.Join(_, node, replica):
                self._do(self._join(node, replica))
            case act.Call(_, operation, replica):
                self._do(cluster.call(operation, replica))
            case act.Expire(_, node, in_s, replica):
                at_s = cluster.clock.now_ns() // 10**9 + in_s if in_s else 0
                self._do(cluster.call(SetExpiries(((node, at_s),)), replica))
            case act.SetClock(_, by_ms):
                cluster.note(f"clocks jump by {by_ms / 1000:+g} s")
                cluster.time.jumped_ms += by_ms
                cluster.clock_set_at_s = cluster.now_s
            case (
                act.CutPower()
                | act.KillServer()
                | act.RestartServer()
                | act.FillDisk()
                | act.FailSync()
            ):
                self._to_server(action, cluster.site_of(action.replica))
            case act.Fault():
                if (put_right := begin_fault(cluster, action)) is not None:
                    self._for(action.for_s, put_right)
            case act.Partition(_, nodes, for_s):
                self._partition(nodes, for_s)
            case _:
                machine = cluster.machines.get(getattr(action, "node", ""))
                if machine is not None:
                    self._to_machine(action, machine)

    async def repair(self) -> None:
        """End every fault that lasts, and wait until all calls have been answered."""
        for timer, end in list(self._endings.items()):
            timer.cancel()
            end()
        self._endings.clear()
        cluster = self._cluster
        cluster.note("every fault is over")
        cluster.network.mend_all()
        for site in cluster.sites:
            site.mend_disk()
        if self._under_way:
            await asyncio.wait(list(self._under_way), timeout=_LONGEST_CALL_S)

    def _do(self, work: Awaitable[Any]) -> None:
        task = asyncio.ensure_future(work)
        self._under_way[task] = None
        task.add_done_callback(self._under_way.pop)

    def _for(self, seconds: float, end: Callable[[], None]) -> None:
        """Undo a fault after a time, or when all faults end."""

        def ended() -> None:
            self._endings.pop(timer, None)
            end()

        timer = asyncio.get_running_loop().call_later(seconds, ended)
        self._endings[timer] = end

    async def _join(self, node: str, replica: int) -> None:
        cluster = self._cluster
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
        cluster.note(f"nothing comes through to {', '.join(nodes)} for {for_s} s")
        for node in nodes:
            cluster.network.cut_off(node)

        def mend() -> None:
            for node in nodes:
                cluster.network.mend(node)

        self._for(for_s, mend)

    def _to_machine(self, action: act.Action, machine: Machine) -> None:
        cluster, network = self._cluster, self._cluster.network
        match action:
            case act.SwitchOff(_, _, silently) if machine.is_on:
                how = ", silently" if silently else ""
                cluster.note(f"{machine.name} is switched off{how}")
                machine.switch_off(silently=silently)
            case act.SwitchOn() if not machine.is_on:
                cluster.note(f"{machine.name} is switched on")
                machine.switch_on()
            case act.DuplicateNode(_, node, for_s):
                self._duplicate(node, for_s)
            case act.BreakLink(_, _, how):
                cluster.note(f"the connection of {machine.name} breaks: {how.value}")
                if how is act.Break.SILENTLY:
                    network.sever(machine.name)
                else:
                    network.reset(machine.name, at_server=how is act.Break.AT_SERVER)
            case act.StopReading(_, _, for_s):
                cluster.note(f"{machine.name} reads nothing for {for_s} s")
                network.stall(machine.name, is_stalled=True)
                self._for(for_s, lambda: network.stall(machine.name, is_stalled=False))
            case act.SendPackets(_, _, to, count, size_bytes) if to in cluster.machines:
                if address := cluster.machines[to].address:
                    for _ in range(count):
                        cluster.send_packet(machine, address, size_bytes)

    def _duplicate(self, node: str, for_s: int) -> None:
        cluster = self._cluster
        name = f"duplicate {len(cluster.duplicates) + 1} of {node}"
        duplicate = cluster.add_machine(name, node, cluster.enrolments[node])
        cluster.duplicates.append(duplicate)
        cluster.note(f"{name} is switched on for {for_s} s")
        duplicate.switch_on()
        self._for(for_s, lambda: duplicate.switch_off(silently=False))

    def _to_server(self, action: act.Action, site: Site) -> None:
        cluster = self._cluster
        match action:
            case act.CutPower(_, at_step):
                site.data.disk.power_fails_at = site.data.disk.steps + at_step
                self._do(self._cut_power(action, site))
            case act.KillServer(_, down_s) if site.server is not None:
                cluster.note(f"{site.name}'s process is killed")
                site.end_server(silently=False, down_s=down_s)
            case act.RestartServer(_, down_s):
                self._do(site.stop_server(down_s))
            case act.FillDisk(_, for_s):
                cluster.note(f"{site.name}'s disk is full for {for_s} s")
                site.fill_disk(1)
                self._for(for_s, lambda: site.fill_disk(-1))
            case act.FailSync(_, in_steps):
                site.fail_sync(in_steps)

    async def _cut_power(self, action: act.CutPower, site: Site) -> None:
        server = site.server
        if server is None:
            return
        try:
            async with asyncio.timeout(_POWER_HOLDS_S):
                await server.power_is_lost.wait()
        except TimeoutError:
            pass
        if site.server is server:
            self._cluster.note(f"{site.name}'s power fails")
            site.lose_power(action.keep, action.seed, action.down_s)
