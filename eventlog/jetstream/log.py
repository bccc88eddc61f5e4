"""A log in a stream: many readers, and one writer at a time by compare-and-set.

Every append names the stream's last sequence number that its writer knows, so a writer that missed
something is refused by the servers. All that is read is verified against the chain and goes into a
copy in a folder, which readers, followers and snapshots use.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Final

from eventlog.api import Limits, LogPosition, NextRecords, Record, check_appendable
from eventlog.copies import FolderCopy
from eventlog.errors import LogBusy, LogRewound, LogUnavailable, SequenceConflict
from eventlog.jetstream.address import StreamAddress
from eventlog.jetstream.connection import Connection, disconnect
from eventlog.jetstream.messages import Codec
from eventlog.jetstream.publishing import Outcome, Pending, publish
from eventlog.jetstream.stream import payload_limit_of
from eventlog.jetstream.tail import Tail
from eventlog.snapshots import FileSnapshots

# How long an append waits for a majority before it says that there is none: longer than the servers
# take to elect a leader, which is 4 to 9 s after they have lost one.
BUSY_AFTER_S: Final = 10.0

_SYNC_COPY_S: Final = 5.0  # so much of the copy may have to be read again after a power failure


class JetStreamLog:
    """An `AsyncLog` in a stream of NATS JetStream; made by `eventlog.jetstream.open`.

    For one event loop; reading and following work on any thread and loop.

    Attributes:
        address: of the stream.
        client: the connection.
        log_id: 16 bytes.
        epoch: of this writer, once it has appended.
        limits: of what it takes.
        copy: the folder with everything that is known of the stream.
        busy_after_s: how long an append waits for a majority.
        is_closed: whether `close` was called.
        failure: why nothing can be appended or read any more; None while it can.
        failed: set together with `failure`.
    """

    def __init__(
        self,
        client: Connection,
        address: StreamAddress,
        copy: FolderCopy,
        now_ns: Callable[[], int],
    ) -> None:
        self.address = address
        self.log_id = copy.log_id
        self.epoch = 0
        self.limits = Limits(payload_limit_of(client))
        self.has_blocked = False
        self.copy = copy
        self.busy_after_s = BUSY_AFTER_S
        self.failure: Exception | None = None
        self.failed = asyncio.Event()
        self.client = client
        self._now_ns = now_ns
        self._codec = Codec(address.stream, self.log_id)
        self._tail = Tail(client, address, self._codec, copy)
        self._appending = asyncio.Lock()
        self._pending: Pending | None = None  # an append of which the outcome is open
        self._syncing: asyncio.Task[None] | None = None
        self.is_closed = False

    async def start(self) -> None:
        """Find the copy's end in the stream, read what comes after it, and follow from then on.

        Raises:
            LogRewound: the stream does not have what the copy has.
            LogDamaged: a message is not the record that was written.
            LogUnavailable: the servers do not answer.
        """
        await self._tail.start(self._fail)
        self._syncing = asyncio.create_task(self._sync_copy(), name="eventlog-copy")

    @property
    def last_seq(self) -> int:
        return self._tail.end.last_seq

    @property
    def records(self) -> int:
        """How many records and markers are known."""
        return self._tail.end.stream_seq

    @property
    def head(self) -> bytes:
        return self._tail.end.chain

    @property
    def snapshots(self) -> FileSnapshots:
        return self.copy.snapshots

    async def append(
        self,
        payload: bytes,
        count: int,
        expected: int,
        *,
        may_block: bool = False,  # noqa: ARG002 - nothing here blocks
    ) -> int:
        """See `AsyncLog.append`."""
        check_appendable(payload, count, self.limits.payload_bytes)
        async with self._appending:
            await self._settle()
            if expected != self.last_seq:
                raise SequenceConflict(expected, self.last_seq)
            if await self._append(payload, count) is Outcome.REFUSED:
                raise SequenceConflict(expected, self.last_seq)
            return expected + count

    async def write_sync_marker(self) -> LogPosition:
        """See `AsyncLog.write_sync_marker`; what is marked is also durable in the copy."""
        async with self._appending:
            await self._settle()
            while not self._tail.is_marked:
                await self._append(b"", 0)
        return await asyncio.to_thread(self.copy.sync)

    async def sync(self) -> LogPosition:
        """See `AsyncLog.sync`: syncs the copy."""
        return await asyncio.to_thread(self.copy.sync)

    async def barrier(self) -> int:
        """See `AsyncLog.barrier`: appends a marker, which only succeeds behind everything else."""
        async with self._appending:
            await self._settle()
            while await self._append(b"", 0) is Outcome.REFUSED:
                pass
            return self.last_seq

    async def probe_space(self) -> None:
        """See `AsyncLog.probe_space`: settles an append whose outcome is open."""
        async with self._appending:
            await self._settle()
            if not self._tail.is_marked:
                await self._append(b"", 0)

    async def catch_up(self) -> None:
        """Read on until a server has nothing more, which may be out of date.

        Raises:
            LogRewound, LogDamaged, LogUnavailable: what is there does not follow.
        """
        await self._tail.catch_up()

    def read(self, after: int = 0) -> Iterator[Record]:
        """See `AsyncLog.read`: what is known of the stream."""
        return self.copy.read(after)

    def reading(self) -> NextRecords:
        return self.copy.reading()

    def follow(self, after: int = 0, *, max_behind: int | None = None) -> AsyncIterator[Record]:
        return self.copy.follow(after, max_behind=max_behind)

    async def watch(self) -> None:
        """See `AsyncLog.watch`."""
        await self.failed.wait()
        if self.failure is not None:
            raise self.failure

    async def close(self) -> None:
        """Leave the stream, sync the copy; its followers end when they have read all."""
        if self.is_closed:
            return
        self.is_closed = True
        await self._tail.stop()
        if self._syncing is not None:
            self._syncing.cancel()
            with suppress(asyncio.CancelledError):
                await self._syncing
        await asyncio.to_thread(self.copy.close)
        await disconnect(self.client)

    async def _append(self, payload: bytes, count: int) -> Outcome:
        """Append behind what is known, as this writer."""
        end = self._tail.end
        epoch = self._tail.epoch
        if self.epoch != epoch or epoch == 0:
            epoch += 1  # if another writer takes it, this append is refused
        data, record = self._codec.encode(end, payload, count, self._now_ns(), epoch)
        self._pending = Pending(end.stream_seq, record, data)
        return await self._settle()

    async def _settle(self) -> Outcome:
        """Find out what became of the append under way, if there is one.

        Raises:
            LogBusy: it is still open.
            LogFull: the stream has no room; nothing was written.
            LogRewound, LogUnavailable: nothing can be appended any more.
        """
        self._require_usable()
        pending = self._pending
        if pending is None:
            return Outcome.APPENDED
        try:
            outcome = await publish(
                self.client, self.address, self._tail, pending, self.busy_after_s
            )
        except LogBusy:
            raise
        except LogUnavailable as error:
            self._fail(error)
            raise
        except asyncio.CancelledError:
            pending.is_open = True
            raise
        except BaseException:
            self._pending = None
            raise
        self._pending = None
        if outcome is Outcome.APPENDED:
            self.epoch = pending.record.epoch
        return outcome

    def _require_usable(self) -> None:
        if self.is_closed:
            raise LogUnavailable(str(self.address), "closed")
        if (error := self.failure) is not None:
            kind = LogRewound if isinstance(error, LogRewound) else LogUnavailable
            raise kind(str(self.address), str(getattr(error, "reason", error))) from error

    def _fail(self, error: Exception) -> None:
        self.failure = self.failure or error
        self.failed.set()

    async def _sync_copy(self) -> None:
        while True:
            await asyncio.sleep(_SYNC_COPY_S)
            try:
                await asyncio.to_thread(self.copy.sync)
            except LogUnavailable as error:
                self._fail(error)
                return
