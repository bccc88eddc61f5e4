"""The server's own end of the overlay: a TUN device on the switch.

Through it nodes reach the server's overlay address, and with it the control port; and what lies
beyond the network, as far as the kernel forwards it (that is the operator's to allow).
"""

import asyncio
from ipaddress import IPv4Interface

from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.domain.network import Network
from nc.hub.switch import Port, Switch
from nc.net.routes import configure
from nc.net.tun import Tun


class Uplink:
    """One device, attached by `open` and detached by `close`.

    Args:
        switch: whose uplink it is.
        log: where it is said if somebody deletes the device.
    """

    def __init__(self, switch: Switch, log: FilteringBoundLogger) -> None:
        self._switch = switch
        self._log = log
        self._tun: Tun | None = None

    async def open(self, network: Network, mtu: int) -> str:
        """Make the device, with the server's address and the route to the network; its name.

        Raises:
            TunUnavailable: not allowed, or not possible.
        """
        tun = Tun(offload=True)
        try:
            await asyncio.to_thread(configure, tun.name, IPv4Interface(str(network)), mtu)
        except BaseException:
            tun.close()
            raise
        self._tun = tun
        port = Port(tun.write, _nothing_waits, offloads=True)
        self._switch.attach_uplink(port)
        tun.start(lambda frame, _: self._switch.receive(port, frame), self._lost)
        return tun.name

    async def close(self) -> None:
        """Take the device away, its address and route with it. Idempotent."""
        self._switch.detach_uplink()
        if self._tun is not None:
            self._tun.close()
            self._tun = None

    def _lost(self) -> None:
        self._log.error(
            log_events.TUN_LOST,
            message="the TUN device was deleted: nodes cannot reach this server's overlay address "
            "until it is restarted",
        )
        self._switch.detach_uplink()
        if self._tun is not None:
            self._tun.close()
            self._tun = None


def _nothing_waits() -> int:
    """How much waits for the kernel: it takes a packet at once, or never."""
    return 0
