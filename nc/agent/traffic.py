"""Packets between a node's device and its link; the link may change under way.

kernel ──▶ device ──▶ the link in use      every link that still brings packets ──▶ device
"""

from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.agent.connection import HubConnection
from nc.agent.device import Kernel, NodeDevice
from nc.agent.link_errors import NetworkRefused
from nc.agent.settings import AgentSettings
from nc.errors import OperatorError
from nc.net import ipv4
from nc.net.overlay import require_bounded
from nc.net.redirect import Redirect
from nc.net.wire import PLAIN_VNET_HEADER, VNET_HEADER_BYTES, Frame, packets


class Traffic:
    """The device of an agent, and the link in use.

    Attributes:
        connection: the link in use; None: there is none.
        packets_in, packets_out: received from the server, and sent to it.
        dropped: packets from the kernel that are not IPv4, or had no link.
    """

    def __init__(
        self, settings: AgentSettings, redirect: Redirect, log: FilteringBoundLogger, kernel: Kernel
    ) -> None:
        self._settings = settings
        self._device = NodeDevice(settings.device, redirect, log, kernel)
        self._log = log
        self.connection: HubConnection | None = None
        self._held: list[tuple[bytes, int]] = []  # read from the kernel when the link had ended
        self.packets_in = self.packets_out = self.dropped = 0

    @property
    def device_name(self) -> str | None:
        return self._device.tun.name if self._device.tun else None

    async def clean_up(self) -> None:
        """Take back the routes that a crash left."""
        await self._device.clean_up()

    async def begin(self, connection: HubConnection) -> None:
        """Let packets flow between the kernel and a link.

        Raises:
            NetworkRefused: this machine does not take the overlay, or not now.
        """
        try:
            require_bounded(connection.interface, may_be_all=self._settings.device.redirect_gateway)
            if self._settings.tun:
                await self._device.attach(
                    connection.interface,
                    connection.offload,
                    connection.server_address,
                    self._hang_up,
                )
        except (OperatorError, OSError) as error:
            raise NetworkRefused(str(error)) from error
        self._use(connection)
        if self._device.tun is not None:
            self._device.tun.start(self._from_kernel, self._lost_device)

    async def change(self, newer: HubConnection) -> None:
        """Send over a newer link; what the older one still brings is received.

        Raises:
            NetworkRefused: as `begin`.
        """
        older = self.connection
        if older is not None and _is_alike(older, newer):
            older.writable = None
            self._use(newer)
            held, self._held = self._held, []
            for frame, count in held:
                self._from_kernel(frame, count)
            if self._device.tun is not None:
                self._device.tun.resume()
        else:
            await self.end()
            await self.begin(newer)

    def pause(self) -> None:
        """Leave what programs send in the kernel's queue: there is no link to send it on."""
        if self._device.tun is not None:
            self._device.tun.pause()

    async def end(self) -> None:
        """Carry no packets until `begin`."""
        if self.connection is not None:
            self.connection.deliver = self.connection.writable = None
        self.connection = None
        self.dropped += sum(count for _, count in self._held)
        self._held.clear()
        try:
            await self._device.detach()
        except (OperatorError, OSError) as error:  # `begin` takes them back first, or says why not
            self._log.warning(log_events.AGENT_ROUTES_LEFT, message=f"{error}; trying again later")

    def close(self) -> None:
        """Remove the device, and report what went over it."""
        self._device.close()
        self._log.info(
            log_events.AGENT_STOPPED,
            packets_in=self.packets_in,
            packets_out=self.packets_out,
            dropped=self.dropped,
        )

    def _use(self, connection: HubConnection) -> None:
        self.connection = connection
        connection.begin(self._from_server)
        if self._device.tun is not None:
            connection.writable = self._on_writable

    def _hang_up(self, reason: str) -> None:
        if self.connection is not None:
            self.connection.hang_up(reason)

    def _from_server(self, frame: Frame, has_header: bool) -> None:
        tun = self._device.tun
        if tun is None:
            self.packets_in += sum(1 for _ in packets(frame)) if has_header else 1
            return
        if tun.offload and not has_header:
            frame = PLAIN_VNET_HEADER + bytes(frame)
        self.packets_in += tun.write(frame)

    def _from_kernel(self, frame: bytes, count: int) -> None:
        tun = self._device.tun
        at = VNET_HEADER_BYTES if tun is not None and tun.offload else 0
        if self.connection is None or len(frame) <= at or frame[at] >> 4 != ipv4.VERSION:
            self.dropped += count
            return
        if self.connection.ended.done():
            self._held.append((frame, count))  # a newer link may be about to take over
            self.pause()
            return
        self.packets_out += count
        self.connection.send(frame)

    def _on_writable(self, is_writable: bool) -> None:
        tun = self._device.tun
        if tun is not None and is_writable:
            tun.resume()
        elif tun is not None:
            tun.pause()

    def _lost_device(self) -> None:
        """End the link: the next one gets a new device."""
        self._log.warning(log_events.AGENT_DEVICE_LOST, message="the TUN device was deleted")
        self._device.close()
        self._hang_up("the TUN device was deleted")


def _is_alike(one: HubConnection, other: HubConnection) -> bool:
    """Whether the device and its routes are the same for both."""
    return (one.interface, one.offload, one.server_address) == (
        *(other.interface, other.offload, other.server_address),
    )
