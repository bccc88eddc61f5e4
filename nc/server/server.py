"""A whole server: folder, log, certificates, replica and ports, put together and taken apart.

The log is opened first, since it is what keeps a second server away; then certificates are made,
and only then does anybody get an answer. What a start that fails had to make, it takes away again.
"""

import asyncio
import contextlib
import socket
from importlib.metadata import version
from pathlib import Path
from typing import Self

from structlog.typing import FilteringBoundLogger

import eventlog
from eventlog import SyncFailed, WriterReplaced
from nc import log_events
from nc.clock import Clock
from nc.domain.decide import Command
from nc.domain.errors import KeyOfAnotherLog
from nc.domain.replicas import StartReplica, StopReplica
from nc.hub.hub import Hub
from nc.hub.limits import Limits
from nc.hub.report import serve_report
from nc.net import sockets
from nc.net.tun import TunUnavailable
from nc.replica.replica import DiskFull, Origin, Replica, Unwritable
from nc.rpc.api import Endpoints
from nc.rpc.callers import Callers, Transport
from nc.rpc.controller import Controller
from nc.rpc.edge import Edge
from nc.rpc.methods import methods_of
from nc.rpc.servers import GrpcServers, bootstrap_port, control_port
from nc.secrets import RequestIds, Secrets, TokenIds
from nc.server.certificates import Certificates
from nc.server.data_folder import DataFolder, DataFolderError
from nc.server.settings import ServerSettings, TunMode
from nc.server.tasks import Sweep, every, report_failed_snapshots, report_failure, report_full_disk

VERSION = version("litekube-network-controller")

# How long calls under way may take to finish at a stop; the slowest of ours takes milliseconds.
STOP_GRACE_S = 5.0

# How late the link of an expired node may be dropped.
SWEEP_INTERVAL_S = 1.0

# Certificates are renewed weeks before they end, so looking a few times a day will do.
CERTIFICATE_CHECK_INTERVAL_S = 6 * 60 * 60.0


class Server:
    """One replica that serves; `async with` starts and stops it.

    Args:
        settings: what it runs with.
        clock, secrets: where time and random values come from.
        log: where its log lines go.
        link_limits: what links may take of time and room.
    """

    # All are there once the server has started.
    certificates: Certificates
    endpoints: Endpoints
    hub: Hub

    def __init__(
        self,
        settings: ServerSettings,
        *,
        clock: Clock,
        secrets: Secrets,
        log: FilteringBoundLogger,
        link_limits: Limits | None = None,
    ) -> None:
        self.settings = settings
        self.folder = DataFolder(settings.data_dir)
        self._clock = clock
        self._secrets = secrets
        self._log = log
        self._link_limits = link_limits or Limits()
        self._request_ids = RequestIds(secrets)
        self._replica_id = socket.gethostname()
        self._edges: list[Edge] = []
        self.made: list[Path] = []  # what this start had to make, besides certificates

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as started:
            await self._start(started)
            self._started = started.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._log.info(log_events.SERVER_STOPPING)
        await self._started.aclose()
        denied = sum(edge.denied.total() for edge in self._edges)
        self._log.info(log_events.SERVER_STOPPED, denied=denied)

    async def must_end(self) -> Exception:
        """Wait until this process should end, and return why.

        After most failures queries can go on. Not after these: what the kernel holds in memory may
        never have reached the disk, or another process has the log and knows better.
        """
        await self._replica.failed.wait()
        while not isinstance(failure := self._replica.failure, SyncFailed | WriterReplaced):
            await asyncio.Event().wait()  # for ever
        return failure

    async def _start(self, started: contextlib.AsyncExitStack) -> None:
        """Start part by part; `started` takes them apart again, the last one first."""
        settings, folder = self.settings, self.folder
        folder.prepare()
        is_first = not folder.log.exists()
        log = started.enter_context(contextlib.closing(self._open_log()))
        with folder.forgotten_on_failure() if is_first else contextlib.nullcontext():
            key = folder.load_secret_key(self._secrets, log_is_empty=log.last_seq == 0)
            self.certificates = Certificates(settings, folder, self._clock, self._secrets)
        self.made = [folder.log, folder.secret_key] if is_first else []
        self.certificates.report(self._log, is_known=log.last_seq > 0)
        self._replica = Replica(log, self._clock)
        self._replica.start()
        for warning in log.snapshots.warnings:
            self._log.warning(log_events.SNAPSHOT_SKIPPED, message=warning)
        started.push_async_callback(self._replica.stop)
        await self._record_start(TokenIds(key).key_check)
        self.hub = self._make_hub(TokenIds(key))
        started.push_async_callback(self.hub.stop)
        started.push_async_callback(self._record_stop)  # which closes what links there are
        if self.settings.tun is not TunMode.OFF:
            await self._open_uplink(started)
        await self._serve(TokenIds(key), started)
        report = await serve_report(folder.links_socket, self.hub)
        started.push_async_callback(report.stop)
        sweep = Sweep(self._replica, self._submit, self._clock).sweep
        set_serving = self._servers.set_serving
        for chore in (
            every(SWEEP_INTERVAL_S, sweep, self._log),
            every(CERTIFICATE_CHECK_INTERVAL_S, self._renew_certificates, self._log),
            report_failure(self._replica, set_serving, self._log),
            report_full_disk(self._replica, set_serving, self._log),
            report_failed_snapshots(self._replica, self._log),
        ):
            started.push_async_callback(_cancel, asyncio.create_task(chore))
        self._report_start()

    def _open_log(self) -> eventlog.FileLog:
        log = eventlog.open(
            self.folder.log, now_ns=self._clock.now_ns, random_bytes=self._secrets.random_bytes
        )
        if (cut := log.recovery) is not None:
            self._log.warning(
                log_events.LOG_TAIL_CUT,
                message=f"{cut.torn_bytes} bytes after event {cut.last_seq} were cut from "
                f"{cut.segment}: a write that a crash interrupted, and that nobody was promised; "
                f"they are kept in {cut.kept_in}",
            )
        self._log.info(log_events.LOG_OPENED, folder=str(self.folder.log), last_seq=log.last_seq)
        return log

    def _make_hub(self, token_ids: TokenIds) -> Hub:
        settings = self.settings
        return Hub(
            self._replica,
            settings.network,
            lambda: None if settings.plaintext else self.certificates.link,
            token_ids=token_ids,
            clock=self._clock,
            request_ids=self._request_ids,
            log=self._log,
            interconnection=settings.interconnection,
            limits=self._link_limits,
        )

    async def _open_uplink(self, started: contextlib.AsyncExitStack) -> None:
        # Only here is pyroute2 needed, which takes long to import.
        from nc.hub.uplink import Uplink  # noqa: PLC0415 - see above

        settings, uplink = self.settings, Uplink(self.hub.switch, self._log)
        try:
            name = await uplink.open(settings.network, settings.mtu)
        except TunUnavailable as error:
            if settings.tun is TunMode.ON:
                raise
            self._log.info(log_events.TUN_UNAVAILABLE, message=f"{error}; going on without")
        else:
            self._log.info(log_events.TUN_OPENED, device=name, address=settings.network_addr)
            started.push_async_callback(uplink.close)

    async def _serve(self, token_ids: TokenIds, started: contextlib.AsyncExitStack) -> None:
        settings, certificates = self.settings, self.certificates
        controller = Controller(
            self._replica,
            certificates.authorities,
            lambda: self.endpoints,
            token_ids,
            self._clock,
            self._secrets,
        )
        self._servers = GrpcServers(methods_of(controller), self._log)
        started.push_async_callback(self._servers.stop, STOP_GRACE_S)
        self._callers = Callers({certificates.admin_fingerprint})

        def edge(transport: Transport) -> Edge:
            self._edges.append(
                Edge(
                    Transport.PLAINTEXT if settings.plaintext else transport,
                    self._callers,
                    lambda: self._replica.state,
                    token_ids.id_of,
                    self._clock,
                    self._secrets,
                    self._log,
                )
            )
            return self._edges[-1]

        control = control_port(
            settings.listen,
            settings.grpc_port,
            edge(Transport.MUTUAL_TLS),
            None if settings.plaintext else certificates.control,
        )
        bootstrap = bootstrap_port(
            settings.listen,
            settings.bootstrap_port,
            edge(Transport.SERVER_TLS),
            None if settings.plaintext else certificates.bootstrap,
        )
        link = sockets.listen(settings.listen, settings.link_port)
        self.endpoints = Endpoints(
            advertised=settings.advertise,
            overlay_address=settings.network.server_address,
            control_port=self._servers.listen(control),
            bootstrap_port=self._servers.listen(bootstrap),
            link_port=link.getsockname()[1],
        )
        await self._servers.start()
        self.hub.start(link)
        started.push_async_callback(self.hub.stop_accepting)

    async def _submit(self, command: Command, method: str) -> None:
        """Let the server itself change something."""
        origin = Origin("system", method, self._request_ids.new())
        await self._replica.submit(command, origin, internal=True)

    async def _record_start(self, key_check: str) -> None:
        network = self.settings.network_addr
        command = StartReplica(self._replica_id, VERSION, network, key_check)
        try:
            await self._submit(command, "start")
        except KeyOfAnotherLog:
            raise DataFolderError(
                f"{self.folder.secret_key} is not the key that the log was written with, and "
                "with another no token in it is recognised; put the right one back from a backup"
            ) from None
        except Unwritable as error:
            raise self._replica.failure or error from None

    async def _record_stop(self) -> None:
        with contextlib.suppress(Unwritable, DiskFull):  # it was reported when it happened
            await self._submit(StopReplica(self._replica_id), "stop")

    async def _renew_certificates(self) -> None:
        await asyncio.to_thread(self.certificates.renew)
        self._callers.trust_admin(self.certificates.admin_fingerprint)
        self.certificates.report(self._log, is_known=True)

    def _report_start(self) -> None:
        self._log.info(
            log_events.SERVER_STARTED,
            version=VERSION,
            advertise=self.endpoints.advertised,
            grpc_port=self.endpoints.control_port,
            bootstrap_port=self.endpoints.bootstrap_port,
            link_port=self.endpoints.link_port,
            network=self.settings.network_addr,
            data_dir=str(self.settings.data_dir),
        )
        if self.settings.plaintext:
            self._log.warning(
                log_events.SERVER_PLAINTEXT,
                message="no TLS: everybody who reaches the ports may do everything, and read the "
                "keys that are handed out; for development only",
            )


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait([task])
