"""A server's log in a stream of NATS JetStream: opened, or made by a first start.

The data folder has a copy of it, where a log of its own would be. The copy may be removed: it is
made again.
"""

from dataclasses import replace

import eventlog
from eventlog import jetstream
from eventlog.copies import source_of
from eventlog.jetstream import JetStreamLog, StreamAddress
from nc import log_events
from nc.data_folder import DataFolder, DataFolderError, DataLost
from nc.server import first_start
from nc.server.first_start import Start
from nc.server.logs import Opening, OpenLog, begin_anew, warn_of_taking_over
from nc.server.shared_secrets import stream_address


async def find(opening: Opening, cluster: str, disk: eventlog.Disk) -> OpenLog:
    """The log in a stream, which a first start makes.

    Args:
        opening: of the server.
        cluster: the stream's address.
        disk: has the copy.

    Raises:
        DataLost: something of an earlier start is missing, and no new cluster is wanted.
        DataFolderError, LogError: it cannot be used.
    """
    address = stream_address(cluster, opening.folder)
    _require_copy(opening.folder, address)
    there = replace(opening.look(), stream=str(address))
    start = Start.AGAIN
    try:
        log = await _open_stream(opening, address, disk)
    except jetstream.StreamMissing:
        try:
            start = first_start.decide(there)
        except DataLost as lost:
            begin_anew(opening, there, lost)
            start, there = Start.FIRST, replace(opening.look(), stream=str(address))
        random_bytes = opening.secrets.random_bytes
        count = opening.settings.cluster_replicas
        await jetstream.make(address, replicas=count, random_bytes=random_bytes)
        opening.logger.info(log_events.LOG_STREAM_MADE, stream=str(address), replicas=count)
        log = await _open_stream(opening, address, disk)
    try:
        first_start.check(there, log.log_id.hex(), log_is_empty=log.last_seq == 0)
    except BaseException:
        await log.close()
        raise
    warn_of_taking_over(opening, there, start)
    opening.logger.info(
        log_events.LOG_OPENED,
        folder=str(opening.folder.log),
        last_seq=log.last_seq,
        stream=str(address),
    )
    return OpenLog(start, log, log.log_id.hex(), str(address))


async def _open_stream(
    opening: Opening, address: StreamAddress, disk: eventlog.Disk
) -> JetStreamLog:
    folder = opening.folder.log
    try:
        return await jetstream.open(
            address,
            folder,
            now_ns=opening.clock.now_ns,
            random_bytes=opening.secrets.random_bytes,
            disk=disk,
        )
    except eventlog.LogDamaged as error:
        if error.file.parent != folder:
            raise
        raise DataFolderError(
            f"{error.describe('')}; {folder} is a copy of the log in {address}: move it away, and "
            "it is made again"
        ) from error


def _require_copy(folder: DataFolder, address: StreamAddress) -> None:
    """Check that there is no log in the data folder that is not in a stream yet.

    Raises:
        DataFolderError: there is.
    """
    has_log = any(folder.log.glob("*.seg"))
    if has_log and source_of(folder.log) is None:
        raise DataFolderError(
            f"{folder.log} has a log of its own; take it to the stream first, with "
            f"network-controller log move --log {folder.log} --to {address} and the same options"
        )
