"""Where a node's packets come from and go to: the kernel, through a TUN device with an address."""

from collections.abc import Awaitable, Callable
from ipaddress import IPv4Interface
from typing import Protocol

from nc.net.tun import Receive
from nc.net.wire import Frame


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


OpenDevice = Callable[[IPv4Interface, bool, int], Awaitable[Device]]  # address, offload, MTU
