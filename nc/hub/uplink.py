"""The uplink: the server's own end of the overlay, a TUN device on the switch.

Through it nodes reach the server's overlay address, and with it the control port; and of what lies
beyond the network what the operator allows, as far as the kernel forwards it.

The device is kept: what another program removes of its address and route is restored, and a device
that was deleted, or could not be made because another network was in its way, is made anew.
"""

import asyncio
from ipaddress import IPv4Address, IPv4Interface

from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.domain.network import Network
from nc.errors import OperatorError
from nc.hub.ports import SwitchPort
from nc.hub.switch import Switch
from nc.net import routes
from nc.net.overlay import Wanted
from nc.net.routes import DeviceNetwork, open_tun
from nc.net.tun import Tun
from nc.net.watch import Pauses, restored_text, watch


class Uplink:
    """One device, attached to the switch by `open`, kept by `keep`, detached by `close`."""

    def __init__(
        self, switch: Switch, network: Network, mtu: int, log: FilteringBoundLogger
    ) -> None:
        self._switch = switch
        self._network = DeviceNetwork(Wanted(IPv4Interface(str(network))), mtu)
        self._log = log
        self._tun: Tun | None = None
        self._deleted = asyncio.Event()
        self._own_changed = asyncio.Event()
        switch.own_changed = self._own_changed.set

    async def open(self) -> None:
        """Make the device, with the server's address and the route to the network.

        Raises:
            TunUnavailable: not allowed, or not possible.
            OverlayRefused: the network is in use on this machine.
            KernelRefused: the kernel does not take the address or the route.
        """
        tun = self._tun = await open_tun(self._network, True)
        port = SwitchPort(tun.write, _no_queue, offloads=True)
        self._deleted.clear()
        self._switch.attach_uplink(port)
        tun.start(lambda frame, _: self._switch.receive(port, frame), self._deleted.set)
        self._log.info(
            log_events.TUN_OPENED, device=tun.name, address=str(self._network.wanted.interface)
        )

    async def keep(self) -> None:
        """Keep the device as it should be, or make it anew, until cancelled."""
        pauses, loop = Pauses(), asyncio.get_running_loop()
        while True:
            if self._tun is not None:
                reason = await self._until_lost(self._tun)
                self._log.error(
                    log_events.TUN_LOST,
                    message=f"{reason}; nodes cannot reach this server's overlay address until "
                    "the device is made again, which is tried until it succeeds",
                )
                self.close()
            await asyncio.sleep(pauses.next_s(loop.time()))
            try:
                await self.open()
            except (OperatorError, OSError) as error:
                self._log.debug(log_events.TUN_UNAVAILABLE, message=str(error))

    async def _until_lost(self, tun: Tun) -> str:
        """Restore what is removed, until the device is deleted or cannot be kept; says why."""

        async def restore() -> list[str]:
            return await asyncio.to_thread(routes.restore, tun.name, self._network)

        watching = asyncio.ensure_future(watch(restore, self._report))
        deleted = asyncio.ensure_future(self._deleted.wait())
        changing = asyncio.ensure_future(self._follow_own(tun))
        waited = (watching, deleted, changing)
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if deleted.done():
                return "the TUN device was deleted"
            await (changing if changing.done() else watching)
        except (OperatorError, OSError) as error:
            return str(error)
        finally:
            for each in waited:
                each.cancel()
            await asyncio.wait(waited)
        return "the watch ended"

    async def _follow_own(self, tun: Tun) -> None:
        """Let what the kernel sends come from this server's own address, whichever that is."""
        while True:
            own, before = self._own(), self._network.wanted.own
            if own != before:
                self._network = self._network._replace(
                    wanted=self._network.wanted._replace(own=own)
                )
                await asyncio.to_thread(routes.change_own, tun.name, self._network, before)
                self._log.info(log_events.OWN_ADDRESS, device=tun.name, address=str(own or ""))
            await self._own_changed.wait()
            self._own_changed.clear()

    def _own(self) -> IPv4Address | None:
        address = self._switch.own_address
        return None if address is None else IPv4Address(address)

    def close(self) -> None:
        """Remove the device, and with it its address and route. Idempotent."""
        self._switch.detach_uplink()
        if self._tun is not None:
            self._tun.close()
            self._tun = None

    def _report(self, restored: list[str], pause_s: float) -> None:
        self._log.warning(log_events.TUN_RESTORED, message=restored_text(restored, pause_s))


def _no_queue() -> int:
    """The kernel takes a packet at once, or never: nothing is queued here."""
    return 0
