"""The log on several machines: one stream of NATS JetStream, and a copy in a folder of each.

Needs nats-py; see README.md beside the package for what the servers have to promise.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

from eventlog.copies import FolderCopy
from eventlog.disk import OS_DISK, Disk
from eventlog.format import SEGMENT_SIZE_BYTES
from eventlog.jetstream.address import SCHEMES, AddressWrong, StreamAddress
from eventlog.jetstream.connection import connect, disconnect
from eventlog.jetstream.log import JetStreamLog
from eventlog.jetstream.publishing import require_publishing
from eventlog.jetstream.stream import (
    StreamMissing,
    check_servers,
    make_stream,
    open_stream,
)

__all__ = [
    "SCHEMES",
    "AddressWrong",
    "JetStreamLog",
    "StreamAddress",
    "StreamMissing",
    "make",
    "open",
]

LOG_ID_BYTES = 16


async def open(  # noqa: A001 - called as `jetstream.open`
    address: StreamAddress | str,
    folder: Path | str,
    *,
    only_reads: bool = False,
    moved_to: str | None = None,
    now_ns: Callable[[], int] = time.time_ns,
    random_bytes: Callable[[int], bytes] = os.urandom,
    disk: Disk = OS_DISK,
    segment_size_bytes: int = SEGMENT_SIZE_BYTES,
) -> JetStreamLog:
    """Open the log in a stream, and read all of it that its copy does not have yet.

    Args:
        address: of the stream.
        folder: of the copy; made if it is missing, but not the folder above it.
        only_reads: nothing will be appended, so the servers need not promise that they sync.
        moved_to: where the log may have been moved to already.
        now_ns: Unix time in nanoseconds, for the records.
        random_bytes: gives that many random bytes.
        disk: has the folder.
        segment_size_bytes: of the copy's segments.

    Raises:
        AddressWrong: it is no address.
        StreamMissing: there is no such stream.
        LogLocked: another process has the copy.
        LogDamaged: the copy or a message is not as it was written.
        LogRewound: the stream does not have what the copy has.
        LogUnavailable: the servers do not answer, could lose events, or take none of this user; or
            the copy is another's.
    """
    address = StreamAddress.parse(address) if isinstance(address, str) else address
    client = await connect(address)
    try:
        if not only_reads:
            await check_servers(client, address)
        log_id = await open_stream(client, address, moved_to)
        if not only_reads:
            await require_publishing(client, address)
        copy = FolderCopy(
            Path(folder),
            log_id,
            str(address),
            now_ns=now_ns,
            random_bytes=random_bytes,
            disk=disk,
            segment_size_bytes=segment_size_bytes,
        )
        log = JetStreamLog(client, address, copy, now_ns)
        try:
            await log.start()
        except BaseException:
            await log.close()
            raise
    except BaseException:
        await disconnect(client)
        raise
    return log


async def make(
    address: StreamAddress | str,
    *,
    replicas: int,
    log_id: bytes | None = None,
    max_bytes: int = -1,
    random_bytes: Callable[[int], bytes] = os.urandom,
) -> bytes:
    """Make the stream of a log; returns the log's id.

    Args:
        address: of the stream.
        replicas: how many servers keep it: 3 survive the loss of one.
        log_id: of a log that will be moved there; by default a new one.
        max_bytes: the stream takes nothing more then; -1: no limit.
        random_bytes: gives that many random bytes.

    Raises:
        AddressWrong: it is no address.
        LogUnavailable: the servers do not answer, refuse it or this user, or could lose events.
    """
    address = StreamAddress.parse(address) if isinstance(address, str) else address
    client = await connect(address)
    try:
        await check_servers(client, address)
        await require_publishing(client, address)
        made = log_id or random_bytes(LOG_ID_BYTES)
        await make_stream(client, address, made, replicas, max_bytes)
    finally:
        await disconnect(client)
    return made
