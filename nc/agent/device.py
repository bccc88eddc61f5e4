"""Where a node's packets come from and go to: a TUN device with an address and routes.

The device stays while links come and go, so that connections of programs over it survive; it is
made anew only if the address or the use of offloads changed. While there is a link, what another
program removes of its address and routes is restored (`nc.net.watch`).
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from ipaddress import IPv4Address, IPv4Interface, ip_address
from typing import NamedTuple, Protocol, TypeVar

from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.contract import DEFAULT_MTU
from nc.net import routes
from nc.net.overlay import Wanted
from nc.net.redirect import Redirect
from nc.net.routes import DeviceNetwork, open_tun
from nc.net.tun import Receive
from nc.net.watch import Report, Restore, restored_text, watch
from nc.net.wire import Frame

T = TypeVar("T")


class Device(Protocol):
    """See `nc.net.tun.Tun`, which is the real one."""

    @property
    def name(self) -> str: ...

    @property
    def offload(self) -> bool: ...

    def start(self, receive: Receive, lost: Callable[[], None], /) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def write(self, frame: Frame, /) -> int: ...

    def close(self) -> None: ...


class Kernel(NamedTuple):
    """What a node needs of its machine's kernel; `restore` blocks."""

    open: Callable[[DeviceNetwork, bool], Awaitable[Device]] = open_tun
    restore: Callable[[str, DeviceNetwork], list[str]] = routes.restore
    watch: Callable[[Restore, Report], Awaitable[None]] = watch


class DeviceSettings(NamedTuple):
    """How the device is set up.

    Attributes:
        redirect_gateway: all of this machine's traffic goes through the overlay.
        has_route, metric: of the route to the overlay network.
    """

    mtu: int = DEFAULT_MTU
    redirect_gateway: bool = False
    has_route: bool = True
    metric: int | None = None


class NodeDevice:
    """The device of an agent.

    Attributes:
        tun: the device; None before the first link, and after it was lost.
    """

    def __init__(
        self,
        settings: DeviceSettings,
        redirect: Redirect,
        log: FilteringBoundLogger,
        kernel: Kernel,
    ) -> None:
        self._settings = settings
        self._redirect = redirect
        self._log = log
        self._kernel = kernel
        self._network: DeviceNetwork | None = None
        self._watching: asyncio.Task[None] | None = None
        self.tun: Device | None = None

    async def clean_up(self) -> None:
        """Take back the routes that a crash left, or those of the last link."""
        await _in_thread(self._redirect.end)

    async def attach(
        self,
        interface: IPv4Interface,
        offload: bool,
        server: str,
        lost: Callable[[str], None],
    ) -> Device:
        """Have a device for a link, with its routes; `lost` is called when they cannot be kept.

        Raises:
            OverlayRefused: the overlay would take something from this machine.
            TunUnavailable, KernelRefused, OSError: there can be no device or route now.
        """
        address = ip_address(server)
        at = address if isinstance(address, IPv4Address) else None
        wanted = Wanted(interface, at, self._settings.has_route, self._settings.metric)
        network = DeviceNetwork(wanted, self._settings.mtu)
        try:
            tun = await self._open(network, offload=offload)
            if self._settings.redirect_gateway:
                await _in_thread(self._redirect.begin, tun.name, address)
        except Exception:
            self.close()  # and this machine is as it was
            raise
        self._watching = asyncio.create_task(self._watch(tun.name, network, lost))
        return tun

    async def _open(self, network: DeviceNetwork, *, offload: bool) -> Device:
        if self.tun is not None and self._network is not None:
            is_same = self._network.wanted.interface == network.wanted.interface
            if is_same and self.tun.offload == offload:
                await _in_thread(self._kernel.restore, self.tun.name, network)
                return self.tun
            self.close()
        self.tun = await self._kernel.open(network, offload)
        self._network = network
        return self.tun

    async def detach(self) -> None:
        """Carry no packets until the next link."""
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.wait([watching])
        if self.tun is not None:
            self.tun.pause()
        await self.clean_up()

    def close(self) -> None:
        """Remove the device, and with it its address and routes. Idempotent."""
        if self.tun is not None:
            self.tun.close()
        self.tun = self._network = None

    async def _watch(self, name: str, network: DeviceNetwork, lost: Callable[[str], None]) -> None:
        restore = partial(_in_thread, self._restore, name, network)
        try:
            await self._kernel.watch(restore, self._report)
        except Exception as error:  # noqa: BLE001 - whatever it is, the link cannot be used
            lost(str(error))

    def _restore(self, name: str, network: DeviceNetwork) -> list[str]:
        return [*self._kernel.restore(name, network), *self._redirect.restore()]

    def _report(self, restored: list[str], pause_s: float) -> None:
        self._log.warning(
            log_events.AGENT_NETWORK_RESTORED,
            message=restored_text(restored, pause_s),
        )


async def _in_thread(call: "Callable[..., T]", *arguments: object) -> T:
    """Run what blocks, and wait for its end even if cancelled: nothing is made later."""
    working = asyncio.ensure_future(asyncio.to_thread(call, *arguments))
    try:
        return await asyncio.shield(working)
    finally:
        await asyncio.wait([working])
