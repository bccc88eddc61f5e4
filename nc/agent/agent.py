"""The node agent: keeps one link to the server, and a TUN device on it, until it is stopped.

    try ──▶ connected ──▶ ended ──▶ wait ──▶ try …
     │       ▲     │                 │
     │       └ newer link            │
     └──────── failed ───────────────┘

The device stays while links come and go, so that connections of programs over it survive; it is
made anew only if the address or the use of offloads changed.

With several addresses the next is tried at once when a link has ended, and there is a wait after
each of them has failed.

When the node's certificates were replaced, a newer link is opened with them beside the old one,
which carries packets until then. So it is when a server that stops, or is out of touch with the
others, asks the node to leave: the old link is kept until another server gives one.

An agent ends by itself in one case: a server whose certificate is from the node's own CA answers
that the node was unregistered; of several, the one that decides, or two. Every other refusal may be
due to a wrong clock, a wrong server, a server without its data or a folder that is not mounted, and
is tried again, more and more seldom; at once when this machine's clock is set.
"""

import asyncio
import contextlib
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Final

from structlog.typing import FilteringBoundLogger

from nc import log_events, sd_notify
from nc.agent.addresses import KnownAddresses, connect_to_one_of
from nc.agent.certificates import NodeTls, node_tls, was_replaced
from nc.agent.connection import CONNECT_TIMEOUT_S, HubConnection, Target
from nc.agent.device import Kernel
from nc.agent.hints import hints_for
from nc.agent.leaving import Leaving
from nc.agent.link_errors import LinkEnded, NodeUnregistered, RetryLater, Unconfirmed
from nc.agent.machine import this_machine
from nc.agent.renewal import Renewal
from nc.agent.retries import Retries, again_text
from nc.agent.settings import AgentSettings
from nc.agent.state import NodeIdentity
from nc.agent.traffic import Traffic
from nc.agent.waiting import cancel, either, is_first
from nc.certificate_files import FolderPaths
from nc.clock import Clock, now_utc
from nc.clock_watch import LOOK_INTERVAL_S, ClockWatch, step_text
from nc.errors import UNREGISTERED, OperatorError
from nc.net.redirect import Redirect
from nc.pki.errors import PkiError
from nc.secrets import Secrets

REAL_KERNEL: Final = Kernel()

# How long each of several addresses has in the first round: one may swallow packets.
_FIRST_ROUND_TIMEOUT_S: Final = 6.0


class AgentStopped(OperatorError):
    """The node was unregistered: an administrator wants no link from it any more."""

    exit_code = UNREGISTERED


class Agent:
    """One node.

    Args:
        redirect: the routes outside the device, also those that a crash left.
        kernel: makes the device, and keeps its address and routes.
        addresses: where the server may be.
        renewal: of the node's certificates; None: they cannot be renewed.

    Attributes:
        traffic: its device and link, and their counters.
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
        renewal: Renewal | None = None,
    ) -> None:
        self._node = node
        self._renewal = renewal
        self._replaced = asyncio.Event()  # there may be other certificates than those of the link
        self._leaving = Leaving()
        self._addresses = addresses or KnownAddresses(None, (node.host, node.port))
        self._settings = settings
        self.traffic = Traffic(settings, redirect, log, kernel)
        self._clock = clock
        self._retries = Retries(secrets)
        self._log = log
        self._held: IPv4Address | None = None  # the address of the last link
        self._tls: NodeTls | None = None  # of the last try; None in plain text
        self._connected_s = 0.0  # how long the last link lasted; 0 without one
        self._told_unregistered = ""  # the server whose close frame said so

    async def run(self) -> None:
        """Connect, and connect again, until cancelled.

        Raises:
            AgentStopped: the node was unregistered.
            TunUnavailable: there can be no device.
        """
        renewing = None
        if self._renewal is not None:
            renewing = asyncio.create_task(self._renewal.run(self._replaced.set))
        try:
            await self.traffic.clean_up()
            while True:
                self._connected_s = 0.0
                try:
                    await self._run_link()
                except LinkEnded as error:
                    self._require_registered(error)
                    if self._renewal is not None:
                        self._renewal.link_failed(error)
                    wait_s = self._delay_s(error, self._connected_s)
                    self._report(error, await self._hints(error), wait_s)
                    await self._wait(wait_s)
        finally:
            if renewing is not None:
                await cancel(renewing)
            sd_notify.stopping()
            self.traffic.close()

    def reload(self) -> None:
        """Begin a newer link if the certificate was replaced on disk since this one began."""
        if self.traffic.connection is not None and was_replaced(self._node.certificates, self._tls):
            self._log.info(log_events.AGENT_RELOADED)
            self._replaced.set()

    def _require_registered(self, error: LinkEnded) -> None:
        """Raises AgentStopped: the server says that the node was unregistered."""
        unregistered = "" if self._renewal is None else self._renewal.unregistered
        if isinstance(error, NodeUnregistered) and self._tls is not None:
            unregistered = str(error)
        if unregistered:
            raise AgentStopped(f"{unregistered}; join again with a new bootstrap token") from None

    async def _run_link(self) -> None:
        """Connect, and forward packets until there is no link; always raises why it ended."""
        self._replaced.clear()
        connection, target = await self._open()
        since_s = asyncio.get_running_loop().time()
        try:
            await self.traffic.begin(connection)
            while True:
                await self._note_link(connection, target)
                newer = await self._newer_link(connection, target)
                if newer is None:
                    raise self._why_ended(connection, target)
                older, (connection, target) = connection, newer
                try:
                    await self.traffic.change(connection)
                finally:
                    await older.close()
        finally:
            self._connected_s = asyncio.get_running_loop().time() - since_s
            await connection.close()
            await self.traffic.end()

    def _why_ended(self, connection: HubConnection, target: Target) -> LinkEnded:
        """The reason for which a link has ended; another address is tried first."""
        error = connection.ended.result()
        self._addresses.lost((target.host, target.port))
        if isinstance(error, NodeUnregistered) and self._has_others:
            self._told_unregistered = str(target)
            return Unconfirmed(str(error))
        return error

    @property
    def _has_others(self) -> bool:
        return len(self._addresses.all) > 1

    async def _open(self, left: Target | None = None) -> tuple[HubConnection, Target]:
        """Open a link, to the first address but `left` that gives one; raises LinkEnded."""
        targets = await asyncio.to_thread(self._make_targets)
        targets = [each for each in targets if left is None or str(each) != str(left)]
        if not targets:
            raise LinkEnded("no other server is known")
        opened = await connect_to_one_of(targets, before=self._told_unregistered)
        self._told_unregistered = ""
        return opened

    async def _note_link(self, connection: HubConnection, target: Target) -> None:
        self._held = connection.interface.ip
        address, loop = (target.host, target.port), asyncio.get_running_loop()

        def note() -> None:
            self._addresses.linked(address, connection.told)
            loop.call_soon_threadsafe(self._leaving.look, connection)

        connection.on_told = note
        await asyncio.to_thread(note)
        self._log.info(
            log_events.AGENT_CONNECTED,
            server=str(target),
            address=str(connection.interface),
            offload=connection.offload,
            device=self.traffic.device_name,
        )
        sd_notify.ready(f"connected to {target} as {connection.interface.ip}")
        tls = self._tls if self._renewal is None else None
        if tls and (text := tls.announcement(now_utc(self._clock))):
            self._log.warning(log_events.AGENT_CERTIFICATE_ENDS, message=text)

    async def _newer_link(
        self, current: HubConnection, target: Target
    ) -> tuple[HubConnection, Target] | None:
        """Open a link once there are other certificates, or the server asks the node to leave.

        Returns:
            The newer link; None: the current one has ended.
        """
        while True:
            if await is_first(current.ended, either(self._replaced, self._leaving.is_due)):
                return None
            left = None if self._replaced.is_set() else target
            self._replaced.clear()
            self._leaving.is_due.clear()
            opening = asyncio.create_task(self._open(left))
            current.has_newer = True
            try:
                if await is_first(current.ended, asyncio.wait([opening])):
                    self.traffic.pause()  # the newer one has taken over at the server
                return await opening
            except LinkEnded as error:
                if current.ended.done():
                    return None
                wait_s = self._delay_s(error, 0.0)
                text = f"no newer link: {error}; {again_text(wait_s)}"
                self._log.warning(log_events.AGENT_NOT_RENEWED, message=text)
                if left is None:
                    asyncio.get_running_loop().call_later(wait_s, self._replaced.set)
                else:
                    self._leaving.look_later(current, wait_s)
            finally:
                await cancel(opening)

    def _make_targets(self) -> list[Target]:
        """Read the certificates, which may have been replaced.

        Raises:
            RetryLater: they cannot be read now.
        """
        node, tls, problem = self._node, None, ""
        if node.certificates is not None:
            try:
                self._tls = node_tls(FolderPaths.within(node.certificates))
            except PkiError as error:
                raise RetryLater(str(error)) from error
            tls, is_renewed = self._tls.context, self._renewal is not None
            problem = self._tls.problem(now_utc(self._clock), is_renewed=is_renewed)
        is_short = self._has_others and self._retries.is_early
        first = Target(
            *(node.host, node.port, node.token, tls, self._held, self._settings.proxy),
            machine=this_machine(),
            timeout_s=_FIRST_ROUND_TIMEOUT_S if is_short else CONNECT_TIMEOUT_S,
            has_others=self._has_others,
            certificate_problem=problem,
        )
        return [replace(first, host=host, port=port) for host, port in self._addresses.all]

    def _delay_s(self, error: LinkEnded, connected_s: float) -> float:
        return self._retries.delay_s(error, connected_s, has_others=self._has_others)

    async def _wait(self, wait_s: float) -> None:
        """Wait for the next try; not any longer once the clock was set, or certificates came."""
        watch, loop = ClockWatch(self._clock), asyncio.get_running_loop()
        until_s = loop.time() + wait_s
        while (left_s := until_s - loop.time()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, LOOK_INTERVAL_S)):
                    await self._replaced.wait()
                    return
            if step_s := watch.look():
                self._log.warning(log_events.CLOCK_STEPPED, message=step_text(step_s))
                self._retries.forget()
                return

    async def _hints(self, error: LinkEnded) -> list[str]:
        now = now_utc(self._clock)
        problem = self._tls.problem(now) if self._tls and not self._renewal else ""
        return await hints_for(error, now, self._addresses.all, self._settings.proxy, problem)

    def _report(self, error: LinkEnded, hints: list[str], wait_s: float) -> None:
        text = "; ".join([str(error), *hints, again_text(wait_s)])
        self._log.warning(log_events.AGENT_DISCONNECTED, reason=type(error).__name__, message=text)
        sd_notify.status(f"not connected: {text}")
