"""A whole server: folder, log, certificates, replica and ports, put together and taken apart.

The log is opened first, since it is what keeps a second server away; then certificates are made,
and only then does anybody get an answer. What a start that fails had to make, it takes away again.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Self

from structlog.typing import FilteringBoundLogger

import eventlog
from eventlog import SyncFailed, WriterReplaced
from nc import log_events
from nc.certificates import Certificates
from nc.clock import Clock, now_ms
from nc.config import ServerSettings
from nc.data_folder import DataFolder
from nc.domain.decide import Command
from nc.domain.nodes import ExpireNodes
from nc.domain.replicas import StartReplica, StopReplica
from nc.domain.tokens import ForgetExpiredTokens
from nc.replica import DiskFull, Origin, Replica, Unwritable
from nc.rpc.callers import Callers, Transport
from nc.rpc.controller import Controller, Endpoints
from nc.rpc.edge import Edge
from nc.rpc.methods import methods_of
from nc.rpc.servers import GrpcServers, PortUnavailable, bootstrap_port, control_port
from nc.secrets import RequestIds, Secrets, TokenIds

VERSION = version("litekube-network-controller")

# How long calls under way may take to finish at a stop; the slowest of ours takes milliseconds.
STOP_GRACE_S = 5.0

# How late the link of an expired node may be dropped.
SWEEP_INTERVAL_S = 1.0

# What one sweep looks at takes some milliseconds; a million tokens have their turn in ten minutes
# of the day that expired ones are remembered for.
TOKENS_PER_SWEEP = 2000

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
        self._request_ids = RequestIds(secrets)
        self._replica_id = socket.gethostname()
        self._edges: list[Edge] = []
        self._tokens_to_sweep: Iterator[str] = iter(())
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
        self._report_certificates(is_known=log.last_seq > 0)
        self._replica = Replica(log, self._clock)
        self._replica.start()
        for warning in log.snapshots.warnings:
            self._log.warning(log_events.SNAPSHOT_PASSED_OVER, message=warning)
        started.push_async_callback(self._replica.stop)
        await self._record_start()
        started.push_async_callback(self._record_stop)
        await self._serve(TokenIds(key), started)
        for chore in (
            self._every(SWEEP_INTERVAL_S, self._sweep),
            self._every(CERTIFICATE_CHECK_INTERVAL_S, self._renew_certificates),
            self._report_failure(),
            self._report_full_disk(),
            self._report_failed_snapshots(),
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
                    controller.knows_token_in,
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
        self.endpoints = Endpoints(
            advertised=settings.advertise,
            overlay_address=settings.network.server_address,
            control_port=self._servers.listen(control),
            bootstrap_port=self._servers.listen(bootstrap),
            link_port=settings.link_port,
        )
        await self._servers.start()

    async def _submit(self, command: Command, method: str) -> None:
        """Let the server itself change something."""
        origin = Origin("system", method, self._request_ids.new())
        await self._replica.submit(command, origin, is_ours=True)

    async def _record_start(self) -> None:
        try:
            network = self.settings.network_addr
            await self._submit(StartReplica(self._replica_id, VERSION, network), "start")
        except Unwritable as error:
            raise self._replica.failure or error from None

    async def _record_stop(self) -> None:
        with contextlib.suppress(Unwritable, DiskFull):  # it was reported when it happened
            await self._submit(StopReplica(self._replica_id), "stop")

    async def _every(self, interval_s: float, chore: Callable[[], Awaitable[None]]) -> None:
        """Do a chore again and again; one that fails is reported, and has its next time."""
        while True:
            await asyncio.sleep(interval_s)
            try:
                await chore()
            except Unwritable:  # it was reported when it happened
                return
            except DiskFull:  # as was this, and it will end
                continue
            except Exception as error:  # noqa: BLE001 - nobody else would hear of it
                self._log.error(log_events.CHORE_FAILED, message=f"{chore.__name__}: {error}")

    async def _sweep(self) -> None:
        now = now_ms(self._clock)
        await self._submit(ExpireNodes(now), "sweep")
        await self._submit(ForgetExpiredTokens(self._next_tokens(), now), "sweep")

    def _next_tokens(self) -> tuple[str, ...]:
        """Some tokens to look at; over the sweeps, each of them in its turn."""
        token_ids = tuple(islice(self._tokens_to_sweep, TOKENS_PER_SWEEP))
        if not token_ids:  # all were looked at: begin again, with what there is now
            self._tokens_to_sweep = iter(self._replica.state.tokens)
        return token_ids

    async def _renew_certificates(self) -> None:
        await asyncio.to_thread(self.certificates.renew)
        self._callers.trust_admin(self.certificates.admin_fingerprint)
        self._report_certificates(is_known=True)

    async def _report_failure(self) -> None:
        await self._replica.failed.wait()
        self._servers.set_serving(serving=False)
        self._log.critical(log_events.LOG_UNAVAILABLE, message=str(self._replica.failure))

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

    def _report_certificates(self, *, is_known: bool) -> None:
        """Say what was made; a new CA where nodes were enrolled already is an alarm."""
        for path, reason in self.certificates.made:
            self._log.info(log_events.CERTIFICATE_MADE, path=str(path), reason=reason)
            if is_known and path.name == "ca.pem":
                self._log.warning(
                    log_events.AUTHORITY_REPLACED,
                    message=f"{path} was missing and is new: no certificate that was handed out "
                    "before is accepted; put the old folder back from a backup, or let every node "
                    "join again",
                )
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
    await asyncio.wait([task])
