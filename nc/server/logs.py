"""A server's log: in its data folder, or in a stream that other machines keep."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

import eventlog
from eventlog.copies import source_of
from nc import log_events
from nc.clock import Clock, now_utc
from nc.data_folder import DataFolder, DataFolderError, DataLost
from nc.replica.local_log import LocalLog
from nc.secrets import Secrets
from nc.server import first_start
from nc.server.certificates import authority_folders
from nc.server.first_start import Listing, Start
from nc.server.settings import ServerSettings

# A new segment and a snapshot open a file and the folder each, while connections have taken every
# other descriptor.
SPARE_DESCRIPTORS = 8


@dataclass(frozen=True, slots=True)
class OpenLog:
    """A log that is open.

    Attributes:
        start: whether it is a first one.
        log_id: in hex.
        stream: where it is, if it is in a stream.
    """

    start: Start
    log: eventlog.AsyncLog
    log_id: str
    stream: str = ""

    def problem(self) -> str:
        """What is wrong with its place at the moment; "": nothing is known to be."""
        client = getattr(self.log, "client", None)
        if client is None or client.is_connected:
            return ""
        return (
            f"no server of NATS answers, and the event log is kept by them ({self.stream}), so "
            "nothing can be changed; bring them back, and the server goes on by itself"
        )


@dataclass(frozen=True, slots=True)
class Opening:
    settings: ServerSettings
    folder: DataFolder
    clock: Clock
    secrets: Secrets
    logger: FilteringBoundLogger

    def look(self) -> Listing:
        return first_start.look(self.folder, authority_folders(self.settings, self.folder))


@contextlib.asynccontextmanager
async def open_log(opening: Opening) -> AsyncIterator[OpenLog]:
    """Open the log, or begin one where this is a first start; it is closed at the end.

    Raises:
        DataLost: something of an earlier start is missing, and no new cluster is wanted.
        DataFolderError, LogError: it cannot be used.
    """
    with eventlog.SparingDisk(SPARE_DESCRIPTORS) as disk:
        if opening.settings.cluster is None:
            opened = _find_log(opening, disk)
        else:
            from nc.server import stream_log  # noqa: PLC0415 - its packages may not be installed

            opened = await stream_log.find(opening, opening.settings.cluster, disk)
        try:
            yield opened
        finally:
            await opened.log.close()


def _find_log(opening: Opening, disk: eventlog.Disk) -> OpenLog:
    """The log in the data folder."""
    folder, clock = opening.folder, opening.clock
    if (source := source_of(folder.log)) is not None:
        raise DataFolderError(
            f"{folder.log} is a copy of the log in {source}; start with --cluster and its address, "
            f"or take the log back to this machine with network-controller log move --log "
            f"{source} --to {folder.log}"
        )
    there = opening.look()
    try:
        start = first_start.decide(there)
        log = _open_folder(opening, disk)
        try:
            first_start.check(there, log.log_id.hex(), log_is_empty=log.last_seq == 0)
        except BaseException:
            log.close()
            raise
    except DataLost as lost:
        begin_anew(opening, there, lost)
        start, log = Start.FIRST, _open_folder(opening, disk)
    warn_of_taking_over(opening, there, start)
    return OpenLog(start, LocalLog(log, clock), log.log_id.hex())


def _open_folder(opening: Opening, disk: eventlog.Disk) -> eventlog.FileLog:
    folder, logger = opening.folder, opening.logger
    log = eventlog.open(
        folder.log,
        now_ns=opening.clock.now_ns,
        random_bytes=opening.secrets.random_bytes,
        disk=disk,
    )
    if (cut := log.recovery) is not None:
        logger.warning(
            log_events.LOG_TAIL_CUT,
            message=f"{cut.torn_bytes} bytes after event {cut.last_seq} were cut from "
            f"{cut.segment}: a write that a crash interrupted, and that was not acknowledged; "
            f"there is nothing to do; they are kept in {cut.kept_in}",
        )
    logger.info(log_events.LOG_OPENED, folder=str(folder.log), last_seq=log.last_seq)
    return log


def begin_anew(opening: Opening, there: Listing, lost: DataLost) -> None:
    """Set aside what there is, if a new cluster is wanted; else raise."""
    if not opening.settings.new_cluster:
        raise lost
    kept = first_start.set_aside(there, now_utc(opening.clock))
    text = (
        f"{lost.problem}; --new-cluster began a new cluster, and what was there is kept in "
        f"{', '.join(map(str, kept))}; to undo this, stop the server and put it back"
    )
    opening.logger.warning(log_events.SERVER_NEW_CLUSTER, message=text)


def warn_of_taking_over(opening: Opening, there: Listing, start: Start) -> None:
    if start is not Start.TAKES_OVER:
        return
    folders = " and ".join(str(each.folder) for each in there.authorities)
    opening.logger.warning(
        log_events.SERVER_NEW_CLUSTER,
        message=f"a new cluster, with the certificates in {folders}, which another server has "
        "left: its nodes are not known here, and must join again; if that is not wanted, stop "
        "this server, and put its data folder back or, from an upstream server, import its "
        "database (network-controller import-litekube)",
    )
