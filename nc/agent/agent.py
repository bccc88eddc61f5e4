"""The node agent: keeps one link to the server for as long as it runs, and a TUN device on it.

    try ──▶ connected ──▶ ended ──▶ wait ──▶ try …
     └──────── failed ───────────────┘

The device stays while the link comes and goes, so that connections of programs over it survive;
it is made anew only if the address or the way of speaking changed. What ends an agent is being
told to, and two things that waiting does not mend: the server does not know this node any more, or
the node's own certificate has expired.
"""

import asyncio
import ssl
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv4Interface
from typing import Final

from structlog.typing import FilteringBoundLogger

from nc import log_events, sd_notify
from nc.agent.backoff import LONGEST_S, delay_s
from nc.agent.connection import HubConnection, LinkEnded, NodeRejected, RetryLater, Target, connect
from nc.agent.device import Device, OpenDevice, open_tun
from nc.agent.state import Node
from nc.clock import Clock, now_utc
from nc.contract import DEFAULT_MTU
from nc.net.routes import Redirect
from nc.net.tun import TunUnavailable
from nc.net.wire import PLAIN_VNET_HEADER, VNET_HEADER_BYTES, Frame, packets
from nc.pki import FolderPaths, PkiError
from nc.pki.pem import load_certificates
from nc.secrets import Secrets

# A link that lasted so long is no failure, whatever ended it.
_LASTED_S: Final = 10.0

_IPV4: Final = 4

# For files of which there is no copy here.
_REMEDY: Final = "restore the files from a backup, or join again with a new bootstrap token"


class AgentStopped(Exception):
    """The agent gave up: trying again would be in vain until somebody does something."""


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """How an agent runs. Without `tun`, packets are counted and go nowhere."""

    tun: bool = True
    mtu: int = DEFAULT_MTU
    redirect_gateway: bool = False  # everything this machine sends goes through the overlay


class Agent:
    """One node.

    Args:
        node: who it is.
        settings: see there.
        redirect: the routes outside the device, now or of a crash before.
        clock, secrets, log: see there.
        open_device: makes the device; a simulation has others.

    Attributes:
        packets_in, packets_out: what came from the server, and what went there.
        dropped: packets from the kernel that are not IPv4.
    """

    def __init__(
        self,
        node: Node,
        settings: AgentSettings,
        redirect: Redirect,
        *,
        clock: Clock,
        secrets: Secrets,
        log: FilteringBoundLogger,
        open_device: OpenDevice = open_tun,
    ) -> None:
        self._node = node
        self._open_device = open_device
        self._settings = settings
        self._redirect = redirect
        self._clock = clock
        self._secrets = secrets
        self._log = log
        self._end: HubConnection | None = None
        self._tun: Device | None = None
        self._interface: IPv4Interface | None = None
        self._connected_s = 0.0  # how long the last link lasted; 0: there was none
        self.packets_in = self.packets_out = self.dropped = 0

    async def run(self) -> None:
        """Be connected, or try to be, until cancelled.

        Raises:
            AgentStopped: why it is in vain.
            TunUnavailable: this machine does not let us.
            PkiError: the node's certificates cannot be read.
        """
        failures = 0
        try:
            await asyncio.to_thread(self._redirect.end)  # what a crash has left
            while True:
                self._connected_s = 0.0
                try:
                    await self._hold_a_link()
                except NodeRejected as error:
                    raise AgentStopped(f"{error}; join again with a new bootstrap token") from None
                except LinkEnded as error:
                    failures = 1 if self._connected_s >= _LASTED_S else failures + 1
                    is_later = isinstance(error, RetryLater)
                    wait_s = LONGEST_S if is_later else delay_s(failures, self._secrets)
                    self._report(error, wait_s)
                    await asyncio.sleep(wait_s)
        finally:
            self._take_down()

    async def _hold_a_link(self) -> None:
        """One link, from the first try to its end, which is always raised."""
        target = await asyncio.to_thread(self._target)
        end = await connect(target)
        since_s = asyncio.get_running_loop().time()
        try:
            await self._attach(end)
            self._log.info(
                log_events.AGENT_CONNECTED,
                server=str(target),
                address=str(end.interface),
                offload=end.offload,
                device=self._tun.name if self._tun else None,
            )
            sd_notify.ready(f"connected to {target} as {end.interface.ip}")
            ended = await end.ended
        finally:
            self._connected_s = asyncio.get_running_loop().time() - since_s
            await end.close()
            self._detach()
            await asyncio.to_thread(self._redirect.end)
        raise ended

    async def _attach(self, end: HubConnection) -> None:
        """Let packets flow between the kernel and the link."""
        if self._settings.tun:
            await self._have_device(end.interface, offload=end.offload)
        self._end = end
        end.deliver = self._from_server
        if self._tun is None:
            return
        end.writable = self._let_kernel_send
        self._tun.start(self._from_kernel, self._lost_device)
        if self._settings.redirect_gateway:
            await self._redirect_into(self._tun, end.server_address)

    async def _redirect_into(self, tun: Device, server: str) -> None:
        outside = None if ":" in server else IPv4Address(server)  # IPv6 is not redirected
        beginning = asyncio.ensure_future(
            asyncio.to_thread(self._redirect.begin, tun.name, outside)
        )
        try:
            await asyncio.shield(beginning)
        except (TunUnavailable, OSError) as error:  # there is no way to the server just now
            raise LinkEnded(str(error)) from error
        finally:
            await asyncio.wait([beginning])  # only what has been made can be taken back

    def _detach(self) -> None:
        if self._end is not None:
            self._end.deliver = self._end.writable = None
        self._end = None
        if self._tun is not None:
            self._tun.pause()

    async def _have_device(self, interface: IPv4Interface, *, offload: bool) -> None:
        """See that there is a device with this address that speaks as the link does."""
        if self._tun is not None:
            if self._interface == interface and self._tun.offload == offload:
                return
            self._close_device()
        self._tun = await self._open_device(interface, offload, self._settings.mtu)
        self._interface = interface

    def _from_server(self, frame: Frame, has_header: bool) -> None:
        if self._tun is None:
            self.packets_in += sum(1 for _ in packets(frame)) if has_header else 1
            return
        if self._tun.offload and not has_header:
            frame = PLAIN_VNET_HEADER + bytes(frame)
        self.packets_in += self._tun.write(frame)

    def _from_kernel(self, frame: bytes, count: int) -> None:
        at = VNET_HEADER_BYTES if self._tun is not None and self._tun.offload else 0
        if self._end is None or len(frame) <= at or frame[at] >> 4 != _IPV4:
            self.dropped += count
            return
        self.packets_out += count
        self._end.send(frame)

    def _let_kernel_send(self, is_writable: bool) -> None:
        if self._tun is not None and is_writable:
            self._tun.resume()
        elif self._tun is not None:
            self._tun.pause()

    def _lost_device(self) -> None:
        """Somebody deleted the device: begin again with a new one."""
        self._log.warning(log_events.AGENT_DEVICE_LOST, message="the TUN device was deleted")
        self._close_device()
        if self._end is not None:
            self._end.hang_up("the TUN device was deleted")

    def _close_device(self) -> None:
        if self._tun is not None:
            self._tun.close()
        self._tun = self._interface = None

    def _take_down(self) -> None:
        sd_notify.stopping()
        self._close_device()
        self._log.info(
            log_events.AGENT_STOPPED,
            packets_in=self.packets_in,
            packets_out=self.packets_out,
            dropped=self.dropped,
        )

    def _target(self) -> Target:
        node = self._node
        tls = None
        if node.certificates is not None:
            tls = client_tls(FolderPaths.within(node.certificates), now_utc(self._clock))
        return Target(node.host, node.port, node.token, tls)

    def _report(self, error: LinkEnded, wait_s: float) -> None:
        text = f"{error}; trying again in {wait_s:.1f} s"
        self._log.warning(log_events.AGENT_DISCONNECTED, reason=type(error).__name__, message=text)
        sd_notify.status(f"not connected: {text}")


def client_tls(paths: FolderPaths, now: datetime) -> ssl.SSLContext:
    """What a node shows and trusts on the link; read anew each time, since files are replaced.

    Raises:
        AgentStopped: the node's certificate has expired.
        PkiError: a file cannot be read.
    """
    for path in (paths.ca, paths.client, paths.client_key):
        try:
            path.open("rb").close()
        except OSError as error:
            reason = f"cannot be read: {error.strerror}"
            raise PkiError(path, reason, _REMEDY) from error
    try:
        (certificate, *_) = load_certificates(paths.client.read_bytes(), paths.client)
    except PkiError as error:
        raise PkiError(error.path, error.problem, _REMEDY) from error
    if certificate.not_valid_after_utc <= now:
        raise AgentStopped(
            f"{paths.client}: this node's certificate expired at "
            f"{certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC, and it is "
            f"{now:%Y-%m-%d %H:%M} UTC; if the clock is right, join again with a new bootstrap "
            "token"
        )
    try:
        # Not the default context: from Python 3.13 on it refuses CAs that exist in the field.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(paths.ca)
        context.load_cert_chain(paths.client, paths.client_key)
    except (OSError, ssl.SSLError) as error:
        raise PkiError(
            paths.client.parent,
            f"ca.pem, client.pem and client-key.pem are not usable: {error.strerror or error}",
            _REMEDY,
        ) from error
    return context
