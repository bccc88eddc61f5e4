"""A server on this machine: its data folder opened, its certificates made, its ports real.

The log is opened first, since its lock keeps a second server away; then certificates are made, and
only then is anything answered. What a first start that fails has made, it takes away again.
"""

import asyncio
import contextlib
import ctypes
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.clock import Clock
from nc.data_folder import DataFolder, DataLost
from nc.domain.errors import AuthorityOfAnotherLog, KeyOfAnotherLog
from nc.domain.levels import LEVEL
from nc.domain.replica_errors import ReplicaIsRemoved
from nc.errors import ConfigError
from nc.hub.limits import Limits
from nc.net import sockets
from nc.replica.errors import Unwritable
from nc.replica.local_log import in_thread
from nc.rpc.call_lines import LogCalls
from nc.rpc.callers import Callers
from nc.rpc.servers import GrpcServers, bootstrap_port, control_port, internal_port
from nc.secrets import Secrets, TokenIds
from nc.server import first_start
from nc.server.certificates import Certificates, authority_folders
from nc.server.cluster import cluster_of, replica_name
from nc.server.extras import metrics_of
from nc.server.first_start import Start
from nc.server.logs import Opening, open_log
from nc.server.newcomer import require_finished
from nc.server.own_changes import NOT_NOW
from nc.server.parts import SWEEP_INTERVAL_S, Job, Parts
from nc.server.server import Server, serve
from nc.server.settings import ServerSettings, TunMode
from nc.server.shared_secrets import inviting
from nc.server.start_report import report_start, warn_of_database, warn_of_folder
from nc.server.uplink import uplink

# Certificates are renewed weeks before they end, so checking a few times a day will do.
CERTIFICATE_CHECK_INTERVAL_S = 6 * 60 * 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """Intervals and limits that tests change.

    Attributes:
        link_limits: what links may take of time and memory.
        level: which kinds of events the server says it knows; a lower one: as an older version.
        sweep_interval_s, certificate_check_interval_s: how often the jobs run.
    """

    level: int = LEVEL
    link_limits: Limits = field(default_factory=Limits)
    sweep_interval_s: float = SWEEP_INTERVAL_S
    certificate_check_interval_s: float = CERTIFICATE_CHECK_INTERVAL_S


@dataclass(frozen=True, slots=True)
class Installation:
    """What a server runs on.

    Attributes:
        start: whether it is a first one.
        made: what this start had to make, besides certificates.
        parts: what `serve` puts together.
        reload: uses the certificates that were replaced on disk; raises a `PASSING_FAILURES`.
    """

    settings: ServerSettings
    folder: DataFolder
    start: Start
    certificates: Certificates
    made: tuple[Path, ...]
    log_id: str
    parts: Parts
    reload: Callable[[], Awaitable[None]]


@contextlib.asynccontextmanager
async def serve_installation(
    settings: ServerSettings,
    *,
    clock: Clock,
    secrets: Secrets,
    logger: FilteringBoundLogger,
    log_calls: LogCalls | None = None,
    tuning: Tuning | None = None,
) -> AsyncIterator[tuple[Installation, Server]]:
    """Serve on this machine, as settings say.

    Raises:
        DataFolderError, LogError, PkiError, PortUnavailable, TunUnavailable: it cannot start.
    """
    opened = open_installation(settings, clock, secrets, logger, log_calls, tuning or Tuning())
    async with opened as installation, serve(installation.parts) as server:
        _mark_authorities(installation, logger)
        warn_of_database(installation.folder, server.replica.state, logger)
        report_start(settings, server.endpoints, logger)
        reload = partial(_reload, installation.reload, server)
        yield replace(installation, reload=reload), server


@contextlib.asynccontextmanager
async def open_installation(
    settings: ServerSettings,
    clock: Clock,
    secrets: Secrets,
    logger: FilteringBoundLogger,
    log_calls: LogCalls | None,
    tuning: Tuning,
) -> AsyncIterator[Installation]:
    """Open the data folder and everything in it; the log is closed at the end.

    Raises:
        DataFolderError, LogError, PkiError: something in it cannot be used.
    """
    folder = DataFolder(settings.data_dir)
    folder.prepare()
    require_finished(folder)
    warn_of_folder(folder, logger)
    async with open_log(Opening(settings, folder, clock, secrets, logger)) as opened:
        log, is_first = opened.log, opened.start is not Start.AGAIN
        with folder.forgotten_on_failure() if is_first else contextlib.nullcontext():
            key, may_found = folder.load_secret_key(secrets), log.last_seq == 0
            certificates = Certificates(settings, folder, clock, secrets, may_found=may_found)
        made = (folder.log, folder.secret_key) if is_first else ()
        certificates.report(logger)
        callers = Callers({certificates.admin_fingerprint}, installed=certificates.installed_serial)
        name = replica_name(folder, secrets) if opened.stream else socket.gethostname()
        renew = partial(_renew, certificates, callers, logger, asyncio.Lock())
        parts = Parts(
            name=name,
            log=log,
            cluster=cluster_of(log, name, certificates, clock, secrets, settings),
            shares_log=bool(opened.stream),
            follows_log=bool(opened.stream),
            stream=opened.stream,
            log_problem=opened.problem,
            network=settings.network,
            token_ids=TokenIds(key),
            authorities=certificates.authorities,
            callers=callers,
            clock=clock,
            secrets=secrets,
            logger=logger,
            log_calls=log_calls,
            advertised=settings.advertise,
            rpc_ports=_rpc_ports(settings, certificates, clock, logger),
            listen_for_links=partial(sockets.listen, *settings.listeners["--link-port"]),
            link_tls=lambda: None if settings.plaintext else certificates.link,
            level=tuning.level,
            link_limits=tuning.link_limits,
            interconnection=settings.interconnection,
            allow_destination=settings.allow_destination,
            guesses_a_second=settings.guess_rate,
            node_limits=settings.node_limits,
            certificate_lifetime=settings.certificate_lifetime,
            open_uplink=None if settings.tun is TunMode.OFF else partial(uplink, settings, logger),
            open_metrics=metrics_of(settings, logger),
            report_path=folder.links_socket,
            sweep_interval_s=tuning.sweep_interval_s,
            inviting=inviting(settings, folder, certificates, in_thread),
            log_folder=folder.log,
            installed=certificates.installed,
            certificate_facts=certificates.facts,
            jobs=(Job("renew_certificates", tuning.certificate_check_interval_s, renew), GIVE_BACK),
        )
        with _lost_of_another_log(folder, certificates, settings.cluster):
            yield Installation(
                settings, folder, opened.start, certificates, made, opened.log_id, parts, renew
            )


@contextlib.contextmanager
def _lost_of_another_log(
    folder: DataFolder, certificates: Certificates, cluster: str | None
) -> Iterator[None]:
    """Raises DataLost where a start finds that the keys are not the log's, or it was removed."""
    other = "" if cluster is None else "name this folder's own stream with --cluster, or "
    try:
        yield
    except ReplicaIsRemoved as error:
        raise ConfigError(str(error)) from None
    except KeyOfAnotherLog:
        raise DataLost(
            f"{folder.secret_key} is not the key that the log was written with, and with another "
            f"no token in it is recognised; {other}put the right one back from a backup"
        ) from None
    except AuthorityOfAnotherLog as error:
        pki = getattr(certificates, error.authority)
        raise DataLost(
            f"{pki.paths.ca_key} is not the key that the certificates of this log's nodes were "
            f"signed with, and with another none of them is accepted; {other}put the folder back "
            "from a backup (docs/how-to/backup.md)"
        ) from None


def _mark_authorities(installation: Installation, logger: FilteringBoundLogger) -> None:
    settings, folder = installation.settings, installation.folder
    log_id = installation.log_id
    for warning in first_start.mark(authority_folders(settings, folder), log_id):
        logger.warning(log_events.CERTIFICATE_WARNING, message=warning)


def _rpc_ports(
    settings: ServerSettings,
    certificates: Certificates,
    clock: Clock,
    logger: FilteringBoundLogger,
) -> GrpcServers:
    at, is_plain = settings.listeners, settings.plaintext
    more = []
    if "--internal-port" in at:
        credentials = None if is_plain else certificates.internal
        more.append(internal_port(*at["--internal-port"], credentials))
    return GrpcServers(
        control_port(
            *at["--grpc-port"],
            None if is_plain else certificates.control,
            has_replicas=settings.cluster is not None,
        ),
        bootstrap_port(*at["--bootstrap-port"], None if is_plain else certificates.bootstrap),
        clock,
        logger,
        *more,
    )


async def _reload(renew: Callable[[], Awaitable[None]], server: Server) -> None:
    await renew()
    with contextlib.suppress(*NOT_NOW, Unwritable):  # the next renewal records it
        await server.record_installed()


async def _renew(
    certificates: Certificates, callers: Callers, logger: FilteringBoundLogger, turn: asyncio.Lock
) -> None:
    async with turn:
        await asyncio.to_thread(certificates.renew)
        callers.trust_admin(certificates.admin_fingerprint)
        certificates.report(logger)


_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's alone


async def _give_back() -> None:
    """Give memory back to the system that C libraries have freed and the C library keeps.

    After a flood of TLS handshakes that is hundreds of megabytes, in the heaps of gRPC's threads.
    Python's own objects are not in these heaps, so that a look through them takes about a
    millisecond.
    """
    if _trim is not None:
        _trim(0)


GIVE_BACK: Final = Job("give_back_memory", 30.0, _give_back)
