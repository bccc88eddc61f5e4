"""The node agent: keeps one link to the server, and a TUN device on it, until it is stopped.

    try ──▶ connected ──▶ ended ──▶ wait ──▶ try …
     └──────── failed ───────────────┘

The device stays while links come and go, so that connections of programs over it survive; it is
made anew only if the address or the use of offloads changed.

An agent ends by itself in one case: a server whose certificate is from the node's own CA answers
that the node was unregistered. Every other refusal may be due to a wrong clock, a wrong server, a
server without its data or a folder that is not mounted, and is tried again, more and more seldom;
at once when this machine's clock is set.
"""

import asyncio
import contextlib
from ipaddress import IPv4Address
from typing import Final

from structlog.typing import FilteringBoundLogger

from nc import log_events, sd_notify
from nc.agent.addresses import KnownAddresses, connect_to_one_of
from nc.agent.certificates import NodeTls, node_tls
from nc.agent.connection import HubConnection, Target
from nc.agent.device import Kernel, NodeDevice
from nc.agent.link_errors import (
    LinkEnded,
    NetworkRefused,
    NodeUnregistered,
    RetryLater,
    UntrustedServer,
)
from nc.agent.machine import this_machine
from nc.agent.settings import AgentSettings
from nc.agent.state import NodeIdentity
from nc.backoff import FIRST_REFUSED_S, LONGEST_REFUSED_S, delay_s
from nc.client.certificate_dates import explain_dates
from nc.clock import Clock, now_utc
from nc.clock_watch import LOOK_INTERVAL_S, ClockWatch, difference_text, step_text
from nc.errors import UNREGISTERED, OperatorError
from nc.net import ipv4
from nc.net.overlay import require_bounded
from nc.net.redirect import Redirect
from nc.net.wire import PLAIN_VNET_HEADER, VNET_HEADER_BYTES, Frame, packets
from nc.pki import FolderPaths, PkiError
from nc.secrets import Secrets

REAL_KERNEL: Final = Kernel()

# A link that lasted so long does not count as a failure.
_LASTED_S: Final = 10.0


class AgentStopped(OperatorError):
    """The node was unregistered: an administrator wants no link from it any more."""

    exit_code = UNREGISTERED


class Agent:
    """One node.

    Args:
        redirect: the routes outside the device, also those that a crash left.
        kernel: makes the device, and keeps its address and routes.
        addresses: where the server may be.

    Attributes:
        packets_in, packets_out: received from the server, and sent to it.
        dropped: packets from the kernel that are not IPv4.
    """

    def __init__(
        self,
        node: NodeIdentity,
        settings: AgentSettings,
        redirect: Redirect,
        *,
        clock: Clock,
        secrets: Secrets,
        log: FilteringBoundLogger,
        kernel: Kernel = REAL_KERNEL,
        addresses: KnownAddresses | None = None,
    ) -> None:
        self._node = node
        self._addresses = addresses or KnownAddresses(None, (node.host, node.port))
        self._settings = settings
        self._device = NodeDevice(settings.device, redirect, log, kernel)
        self._clock = clock
        self._secrets = secrets
        self._log = log
        self._connection: HubConnection | None = None
        self._held: IPv4Address | None = None  # the address of the last link
        self._tls: NodeTls | None = None  # of the last try; None in plain text
        self._connected_s = 0.0  # how long the last link lasted; 0 without one
        self._failures = self._refusals = 0  # in a row; refusals are failures, too
        self.packets_in = self.packets_out = self.dropped = 0

    async def run(self) -> None:
        """Connect, and connect again, until cancelled.

        Raises:
            AgentStopped: the node was unregistered.
            TunUnavailable: there can be no device.
        """
        try:
            await self._device.clean_up()
            while True:
                self._connected_s = 0.0
                try:
                    await self._run_link()
                except LinkEnded as error:
                    if isinstance(error, NodeUnregistered) and self._tls is not None:
                        raise AgentStopped(
                            f"{error}; join again with a new bootstrap token"
                        ) from None
                    wait_s = self._delay_s(error)
                    self._report(error, await self._hints(error), wait_s)
                    await self._wait(wait_s)
        finally:
            sd_notify.stopping()
            self._device.close()
            self._report_stop()

    def reload(self) -> None:
        """Begin a new link if the node's certificate was replaced on disk since this one began."""
        if self._connection is None or self._node.certificates is None:
            return
        with contextlib.suppress(PkiError):  # it is being replaced just now, or lost
            shown = node_tls(FolderPaths.within(self._node.certificates)).certificate
            if self._tls is None or shown != self._tls.certificate:
                self._log.info(log_events.AGENT_RELOADED)
                self._connection.hang_up("the node's certificate was replaced")

    async def _run_link(self) -> None:
        """Connect, and forward packets until the link ends; always raises why it ended."""
        targets = await asyncio.to_thread(self._make_targets)
        connection, target = await connect_to_one_of(targets)
        self._held = connection.interface.ip
        since_s = asyncio.get_running_loop().time()
        try:
            await self._attach(connection)
            self._log.info(
                log_events.AGENT_CONNECTED,
                server=str(target),
                address=str(connection.interface),
                offload=connection.offload,
                device=self._device.tun.name if self._device.tun else None,
            )
            address = (target.host, target.port)
            await asyncio.to_thread(self._addresses.linked, address, connection.told)
            sd_notify.ready(f"connected to {target} as {connection.interface.ip}")
            if self._tls and (text := self._tls.announcement(now_utc(self._clock))):
                self._log.warning(log_events.AGENT_CERTIFICATE_ENDS, message=text)
            ended = await connection.ended
        finally:
            self._connected_s = asyncio.get_running_loop().time() - since_s
            await connection.close()
            await self._detach()
        raise ended

    async def _attach(self, connection: HubConnection) -> None:
        """Let packets flow between the kernel and the link.

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
                    connection.hang_up,
                )
        except (OperatorError, OSError) as error:
            raise NetworkRefused(str(error)) from error
        self._connection = connection
        connection.deliver = self._from_server
        if self._device.tun is not None:
            connection.writable = self._on_writable
            self._device.tun.start(self._from_kernel, self._lost_device)

    async def _detach(self) -> None:
        if self._connection is not None:
            self._connection.deliver = self._connection.writable = None
        self._connection = None
        await self._device.detach()

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
        if self._connection is None or len(frame) <= at or frame[at] >> 4 != ipv4.VERSION:
            self.dropped += count
            return
        self.packets_out += count
        self._connection.send(frame)

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
        if self._connection is not None:
            self._connection.hang_up("the TUN device was deleted")

    def _report_stop(self) -> None:
        self._log.info(
            log_events.AGENT_STOPPED,
            packets_in=self.packets_in,
            packets_out=self.packets_out,
            dropped=self.dropped,
        )

    def _make_targets(self) -> list[Target]:
        """Read the certificates, which may have been replaced.

        Raises:
            RetryLater: they cannot be read now.
        """
        node, tls = self._node, None
        if node.certificates is not None:
            try:
                self._tls = node_tls(FolderPaths.within(node.certificates))
            except PkiError as error:
                raise RetryLater(str(error)) from error
            tls = self._tls.context
        proxy, machine = self._settings.proxy, this_machine()
        return [
            Target(host, port, node.token, tls, self._held, proxy, machine=machine)
            for host, port in self._addresses.all
        ]

    def _delay_s(self, error: LinkEnded) -> float:
        """Seconds until the next try, after this failure."""
        if self._connected_s >= _LASTED_S:
            self._failures = self._refusals = 0
        self._failures += 1
        if not isinstance(error, RetryLater | NodeUnregistered):
            return delay_s(self._failures, self._secrets)
        self._refusals += 1
        return delay_s(self._refusals, self._secrets, FIRST_REFUSED_S, LONGEST_REFUSED_S)

    async def _wait(self, wait_s: float) -> None:
        """Wait for the next try; not any longer once the clock was set."""
        watch, loop = ClockWatch(self._clock), asyncio.get_running_loop()
        until_s = loop.time() + wait_s
        while (left_s := until_s - loop.time()) > 0:
            await asyncio.sleep(min(left_s, LOOK_INTERVAL_S))
            if step_s := watch.look():
                self._log.warning(log_events.CLOCK_STEPPED, message=step_text(step_s))
                self._failures = self._refusals = 0
                return

    async def _hints(self, error: LinkEnded) -> list[str]:
        """What else is known about a failure, a sentence each."""
        now, hints = now_utc(self._clock), []
        if error.server_time is not None:
            hints.append(difference_text(now, error.server_time))
        if isinstance(error, UntrustedServer) and error.is_for_dates:
            found = await asyncio.gather(
                *(
                    explain_dates(host, port, now, self._settings.proxy)
                    for host, port in self._addresses.all
                )
            )
            hints.append(next(filter(None, found), "is this machine's clock right?"))
        elif self._tls is not None:
            hints.append(self._tls.problem(now))
        return [hint for hint in hints if hint]

    def _report(self, error: LinkEnded, hints: list[str], wait_s: float) -> None:
        text = "; ".join([str(error), *hints, f"trying again in {wait_s:.1f} s"])
        self._log.warning(log_events.AGENT_DISCONNECTED, reason=type(error).__name__, message=text)
        sd_notify.status(f"not connected: {text}")
