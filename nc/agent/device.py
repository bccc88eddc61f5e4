"""What a node's packets come from and go to: the kernel, by way of a TUN device with an address."""

import asyncio
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Interface
from typing import Protocol

from nc.net.routes import configure
from nc.net.tun import Receive, Tun
from nc.net.wire import Frame


class Device(Protocol):
    """What packets come from and go to; see `Tun`, which is the real one."""

    @property
    def name(self) -> str:
        """The device's."""

    @property
    def offload(self) -> bool:
        """Whether checksums and segmentation are left to whoever gets the frames."""

    def start(self, receive: Receive, lost: Callable[[], None], /) -> None:
        """Hand over every frame, until `pause`."""

    def pause(self) -> None:
        """Hand over no more for now."""

    def resume(self) -> None:
        """Go on."""

    def write(self, frame: Frame, /) -> int:
        """Take a frame; returns how many packets it held."""

    def close(self) -> None:
        """Be gone."""


OpenDevice = Callable[[IPv4Interface, bool, int], Awaitable[Device]]  # address, offload, MTU


async def open_tun(interface: IPv4Interface, offload: bool, mtu: int) -> Tun:
    """A TUN device with an address.

    Raises:
        TunUnavailable: this machine does not let us.
    """
    tun = Tun(offload=offload)
    try:
        await asyncio.to_thread(configure, tun.name, interface, mtu)
    except BaseException:
        tun.close()
        raise
    return tun
