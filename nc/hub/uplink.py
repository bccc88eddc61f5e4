"""The uplink: the server's own end of the overlay, a TUN device on the switch.

Through it nodes reach the server's overlay address, and with it the control port; and what lies
beyond the network, as far as the kernel forwards it (that is the operator's to allow).
"""

from ipaddress import IPv4Interface

from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.domain.network import Network
from nc.hub.switch import Switch, SwitchPort
from nc.net.routes import open_tun
from nc.net.tun import Tun


class Uplink:
    """One device, attached to the switch by `open` and detached by `close`."""

    def __init__(self, switch: Switch, log: FilteringBoundLogger) -> None:
        self._switch = switch
        self._log = log
        self._tun: Tun | None = None

    async def open(self, network: Network, mtu: int) -> str:
        """Make the device, with the server's address and the route to the network; its name.

        Raises:
            TunUnavailable: not allowed, or not possible.
        """
        tun = self._tun = await open_tun(IPv4Interface(str(network)), True, mtu)
        port = SwitchPort(tun.write, _no_queue, offloads=True)
        self._switch.attach_uplink(port)
        tun.start(lambda frame, _: self._switch.receive(port, frame), self._lost)
        return tun.name

    async def close(self) -> None:
        """Remove the device, and with it its address and route. Idempotent."""
        self._detach()

    def _lost(self) -> None:
        self._log.error(
            log_events.TUN_LOST,
            message="the TUN device was deleted: nodes cannot reach this server's overlay address "
            "until it is restarted",
        )
        self._detach()

    def _detach(self) -> None:
        self._switch.detach_uplink()
        if self._tun is not None:
            self._tun.close()
            self._tun = None


def _no_queue() -> int:
    """The kernel takes a packet at once, or never: nothing is queued here."""
    return 0
