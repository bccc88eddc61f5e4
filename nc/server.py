"""A whole server: folder, log, certificates, replica and ports, put together and taken apart.

The order of starting is the order of what can be refused without leaving a trace: ports are tried,
the folder and the log are opened, certificates are made, and only then does anybody get an answer.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterable
from importlib.metadata import version
from typing import Self

from structlog.typing import FilteringBoundLogger

import eventlog
from eventlog import SyncFailed, WriterReplaced
from nc import log_events
from nc.certificates import Certificates
from nc.clock import Clock, now_ms
from nc.config import ServerSettings
from nc.data_folder import DataFolder, DataFolderError
from nc.domain.decide import Command
from nc.domain.nodes import ExpireNodes
from nc.domain.replicas import StartReplica, StopReplica
from nc.domain.tokens import ForgetExpiredTokens
from nc.pki import PkiError
from nc.replica import DiskFull, Origin, Overloaded, Replica, Unwritable
from nc.rpc.callers import Callers, Transport
from nc.rpc.controller import Controller, Endpoints
from nc.rpc.edge import Edge
from nc.rpc.methods import methods_of
from nc.rpc.servers import (
    BOOTSTRAP_SERVICES,
    CONTROL_SERVICES,
    GrpcServers,
    Port,
    PortUnavailable,
)
from nc.secrets import Secrets, TokenIds, new_request_id

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
    """

    # Both are there once the server has started.
    certificates: Certificates
    endpoints: Endpoints

    def __init__(
        self,
        settings: ServerSettings,
        *,
        clock: Clock,
        secrets: Secrets,
        log: FilteringBoundLogger,
    ) -> None:
        self.settings = settings
        self.folder = DataFolder(settings.data_dir)
        self._clock = clock
        self._secrets = secrets
        self._log = log
        self._replica_id = socket.gethostname()

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as started:
            await self._start(started)
            self._started = started.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._log.info(log_events.SERVER_STOPPING)
        await self._started.aclose()
        self._log.info(log_events.SERVER_STOPPED)

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
        settings = self.settings
        try_ports(settings.listen, (settings.grpc_port, settings.bootstrap_port))
        self.folder.prepare()
        log = started.enter_context(contextlib.closing(self._open_log()))
        key = self.folder.load_secret_key(self._secrets, log_is_empty=log.last_seq == 0)
        self.certificates = Certificates(settings, self.folder, self._clock, self._secrets)
        self._report_certificates()
        self._replica = Replica(log, self._clock)
        self._replica.start()
        for warning in log.snapshots.warnings:
            self._log.warning(log_events.SNAPSHOT_PASSED_OVER, message=warning)
        started.push_async_callback(self._replica.stop)
        await self._submit(StartReplica(self._replica_id, VERSION, settings.network_addr), "start")
        started.push_async_callback(self._record_stop)
        await self._serve(TokenIds(key), started)
        for chore in (
            self._sweep,
            self._renew_certificates,
            self._report_failure,
            self._report_full_disk,
            self._report_failed_snapshots,
        ):
            started.push_async_callback(_cancel, asyncio.create_task(chore()))
        self._report_start()

    def _open_log(self) -> eventlog.FileLog:
        log = eventlog.open(
            self.folder.log, now_ns=self._clock.now_ns, random_bytes=self._secrets.random_bytes
        )
        if log.recovery is not None:
            self._log.warning(log_events.LOG_TAIL_CUT, message=str(log.recovery))
        self._log.info(log_events.LOG_OPENED, folder=str(self.folder.log), last_seq=log.last_seq)
        return log

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

        def port(number: int, transport: Transport) -> Port:
            edge = Edge(
                Transport.PLAINTEXT if settings.plaintext else transport,
                self._callers,
                lambda: self._replica.state,
                self._clock,
                self._secrets,
                self._log,
            )
            mutual = transport is Transport.MUTUAL_TLS
            services = CONTROL_SERVICES if mutual else BOOTSTRAP_SERVICES
            credentials = certificates.control if mutual else certificates.bootstrap
            return Port(
                settings.listen,
                number,
                edge,
                services,
                None if settings.plaintext else credentials,
            )

        self.endpoints = Endpoints(
            advertised=settings.advertise,
            overlay_address=settings.network.server_address,
            control_port=self._servers.listen(port(settings.grpc_port, Transport.MUTUAL_TLS)),
            bootstrap_port=self._servers.listen(
                port(settings.bootstrap_port, Transport.SERVER_TLS)
            ),
            link_port=settings.link_port,
        )
        await self._servers.start()

    async def _submit(self, command: Command, method: str) -> None:
        """Let the server itself change something."""
        origin = Origin("system", method, new_request_id(self._secrets))
        await self._replica.submit(command, origin)

    async def _record_stop(self) -> None:
        with contextlib.suppress(Unwritable, DiskFull):  # it was reported when it happened
            await self._submit(StopReplica(self._replica_id), "stop")

    async def _sweep(self) -> None:
        while self._replica.failure is None:
            await asyncio.sleep(SWEEP_INTERVAL_S)
            with contextlib.suppress(
                Overloaded, Unwritable, DiskFull
            ):  # there is a next time, or a report
                await self._submit(ExpireNodes(now_ms(self._clock)), "sweep")
                await self._submit(ForgetExpiredTokens(now_ms(self._clock)), "sweep")

    async def _renew_certificates(self) -> None:
        while True:
            await asyncio.sleep(CERTIFICATE_CHECK_INTERVAL_S)
            try:
                await asyncio.to_thread(self.certificates.renew)
            except (PkiError, DataFolderError) as error:
                self._log.error(log_events.CERTIFICATE_WARNING, message=str(error))
                continue
            self._callers.trust_admin(self.certificates.admin_fingerprint)
            self._report_certificates()

    async def _report_failure(self) -> None:
        await self._replica.failed.wait()
        self._log.critical(log_events.LOG_UNAVAILABLE, message=str(self._replica.failure))
        self._servers.set_serving(serving=False)

    async def _report_full_disk(self) -> None:
        while True:
            await self._replica.full.wait()
            self._log.error(log_events.LOG_FULL, message=str(DiskFull()))
            self._servers.set_serving(serving=False)
            await self._replica.roomy.wait()
            self._log.info(log_events.LOG_RESUMED)
            self._servers.set_serving(serving=True)

    async def _report_failed_snapshots(self) -> None:
        snapshots = self._replica.snapshots
        while True:
            await snapshots.failed.wait()
            snapshots.failed.clear()
            self._log.warning(log_events.SNAPSHOT_FAILED, message=str(snapshots.failure))

    def _report_certificates(self) -> None:
        for path, reason in self.certificates.made:
            self._log.info(log_events.CERTIFICATE_MADE, path=str(path), reason=reason)
        for warning in self.certificates.warnings:
            self._log.warning(log_events.CERTIFICATE_WARNING, message=warning)

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


def try_ports(host: str, ports: Iterable[int]) -> None:
    """See that each port can be had, before anything is made.

    Raises:
        PortUnavailable: the first that cannot, and why.
    """
    bare_host = host.strip("[]")
    family = socket.AF_INET6 if ":" in bare_host else socket.AF_INET
    with contextlib.ExitStack() as held:  # all of them at once: no port can be had twice
        for port in ports:
            probe = held.enter_context(socket.socket(family, socket.SOCK_STREAM))
            # As gRPC does: a connection of before that lingers is no reason to fail.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((bare_host, port))
                probe.listen()
            except OSError as error:
                reason = os.strerror(error.errno) if error.errno else str(error)
                raise PortUnavailable(f"{host}:{port}", reason.lower()) from error


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
