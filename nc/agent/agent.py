"""The node agent: keeps one link to the server, and a TUN device on it, until it is stopped.

    try ──▶ connected ──▶ ended ──▶ wait ──▶ try …
     └──────── failed ───────────────┘

The device stays while links come and go, so that connections of programs over it survive; it is
made anew only if the address or the use of offloads changed. An agent ends by itself in two cases,
which waiting does not mend: the server does not know the node any more, or the node's own
certificate has expired.
"""

import asyncio
import ssl
from datetime import datetime
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Final

from structlog.typing import FilteringBoundLogger

from nc import log_events, sd_notify
from nc.agent.addresses import KnownAddresses, connect_to_one_of
from nc.agent.backoff import LONGEST_S, delay_s
from nc.agent.connection import HubConnection, Target
from nc.agent.device import Device, OpenDevice
from nc.agent.link_errors import LinkEnded, NodeRejected, RetryLater
from nc.agent.settings import AgentSettings
from nc.agent.state import NodeIdentity
from nc.client.tls import ClientTls
from nc.clock import Clock, now_utc
from nc.errors import OperatorError
from nc.net import ipv4
from nc.net.routes import Redirect, open_tun
from nc.net.tun import TunUnavailable
from nc.net.wire import PLAIN_VNET_HEADER, VNET_HEADER_BYTES, Frame, packets
from nc.pki import FolderPaths, PkiError
from nc.pki.pem import certificate_pem, load_certificates
from nc.secrets import Secrets

# A link that lasted so long does not count as a failure.
_LASTED_S: Final = 10.0

_REMEDY: Final = "restore the files from a backup, or join again with a new bootstrap token"


class AgentStopped(OperatorError):
    """The agent gave up: trying again would fail until the operator does something."""


class Agent:
    """One node.

    Args:
        redirect: the route outside the device, also one that a crash left.
        open_device: makes the device.
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
        open_device: OpenDevice = open_tun,
        addresses: KnownAddresses | None = None,
    ) -> None:
        self._node = node
        self._addresses = addresses or KnownAddresses(None, (node.host, node.port))
        self._open_device = open_device
        self._settings = settings
        self._redirect = redirect
        self._clock = clock
        self._secrets = secrets
        self._log = log
        self._connection: HubConnection | None = None
        self._tun: Device | None = None
        self._interface: IPv4Interface | None = None
        self._connected_s = 0.0  # how long the last link lasted; 0 without one
        self.packets_in = self.packets_out = self.dropped = 0

    async def run(self) -> None:
        """Connect, and connect again, until cancelled.

        Raises:
            AgentStopped: the server does not know the node, or its certificate has expired.
            TunUnavailable: there can be no device.
            PkiError: the node's certificates cannot be read.
        """
        failures = 0
        try:
            await asyncio.to_thread(self._redirect.end)  # what a crash has left
            while True:
                self._connected_s = 0.0
                try:
                    await self._run_link()
                except NodeRejected as error:
                    raise AgentStopped(f"{error}; join again with a new bootstrap token") from None
                except LinkEnded as error:
                    failures = 1 if self._connected_s >= _LASTED_S else failures + 1
                    is_later = isinstance(error, RetryLater)
                    wait_s = LONGEST_S if is_later else delay_s(failures, self._secrets)
                    self._report(error, wait_s)
                    await asyncio.sleep(wait_s)
        finally:
            sd_notify.stopping()
            self._close_device()
            self._report_stop()

    async def _run_link(self) -> None:
        """Connect, and forward packets until the link ends; always raises why it ended."""
        targets = await asyncio.to_thread(self._targets)
        connection, target = await connect_to_one_of(targets)
        since_s = asyncio.get_running_loop().time()
        try:
            await self._attach(connection)
            self._log.info(
                log_events.AGENT_CONNECTED,
                server=str(target),
                address=str(connection.interface),
                offload=connection.offload,
                device=self._tun.name if self._tun else None,
            )
            address = (target.host, target.port)
            await asyncio.to_thread(self._addresses.linked, address, connection.told)
            sd_notify.ready(f"connected to {target} as {connection.interface.ip}")
            ended = await connection.ended
        finally:
            self._connected_s = asyncio.get_running_loop().time() - since_s
            await connection.close()
            self._detach()
            await asyncio.to_thread(self._redirect.end)
        raise ended

    async def _attach(self, connection: HubConnection) -> None:
        """Let packets flow between the kernel and the link."""
        if self._settings.tun:
            await self._ensure_device(connection.interface, offload=connection.offload)
        self._connection = connection
        connection.deliver = self._from_server
        if self._tun is None:
            return
        connection.writable = self._on_writable
        self._tun.start(self._from_kernel, self._lost_device)
        if self._settings.redirect_gateway:
            await self._redirect_into(self._tun, connection.server_address)

    async def _redirect_into(self, tun: Device, server: str) -> None:
        outside = None if ":" in server else IPv4Address(server)  # IPv6 is not redirected
        beginning = asyncio.ensure_future(
            asyncio.to_thread(self._redirect.begin, tun.name, outside)
        )
        try:
            await asyncio.shield(beginning)
        except (TunUnavailable, OSError) as error:  # the server cannot be reached just now
            raise LinkEnded(str(error)) from error
        finally:
            await asyncio.wait([beginning])  # a route can be removed only once it is made

    def _detach(self) -> None:
        if self._connection is not None:
            self._connection.deliver = self._connection.writable = None
        self._connection = None
        if self._tun is not None:
            self._tun.pause()

    async def _ensure_device(self, interface: IPv4Interface, *, offload: bool) -> None:
        """Keep the device, or make a new one if the address or the use of offloads changed."""
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
        if self._connection is None or len(frame) <= at or frame[at] >> 4 != ipv4.VERSION:
            self.dropped += count
            return
        self.packets_out += count
        self._connection.send(frame)

    def _on_writable(self, is_writable: bool) -> None:
        if self._tun is not None and is_writable:
            self._tun.resume()
        elif self._tun is not None:
            self._tun.pause()

    def _lost_device(self) -> None:
        """End the link: the next one gets a new device."""
        self._log.warning(log_events.AGENT_DEVICE_LOST, message="the TUN device was deleted")
        self._close_device()
        if self._connection is not None:
            self._connection.hang_up("the TUN device was deleted")

    def _close_device(self) -> None:
        if self._tun is not None:
            self._tun.close()
        self._tun = self._interface = None

    def _report_stop(self) -> None:
        self._log.info(
            log_events.AGENT_STOPPED,
            packets_in=self.packets_in,
            packets_out=self.packets_out,
            dropped=self.dropped,
        )

    def _targets(self) -> list[Target]:
        node, proxy = self._node, self._settings.proxy
        tls = None
        if node.certificates is not None:
            tls = client_tls(FolderPaths.within(node.certificates), now_utc(self._clock))
        return [Target(host, port, node.token, tls, proxy) for host, port in self._addresses.all]

    def _report(self, error: LinkEnded, wait_s: float) -> None:
        text = f"{error}; trying again in {wait_s:.1f} s"
        self._log.warning(log_events.AGENT_DISCONNECTED, reason=type(error).__name__, message=text)
        sd_notify.status(f"not connected: {text}")


def client_tls(paths: FolderPaths, now: datetime) -> ssl.SSLContext:
    """The TLS context for a link; the files are read for each connection, since they are replaced.

    Raises:
        AgentStopped: the node's certificate has expired.
        PkiError: a file cannot be read.
    """
    tls = ClientTls(_anchor(paths.ca), _read(paths.client_key), certificate_pem=_read(paths.client))
    try:
        (certificate, *_) = load_certificates(tls.certificate_pem or b"", paths.client)
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
        return tls.context()
    except (ssl.SSLError, ValueError) as error:
        problem = getattr(error, "strerror", None) or error
        raise PkiError(
            paths.client.parent,
            f"ca.pem, client.pem and client-key.pem are not usable: {problem}",
            _REMEDY,
        ) from error


def _anchor(path: Path) -> bytes:
    """What a node trusts: an intermediate CA alone, although its root is in the file, too."""
    pem = _read(path)
    try:
        first = load_certificates(pem, path)[0]
    except PkiError:
        return pem  # `ssl` reports it
    return pem if first.issuer == first.subject else certificate_pem(first)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PkiError(path, f"cannot be read: {error.strerror}", _REMEDY) from error
