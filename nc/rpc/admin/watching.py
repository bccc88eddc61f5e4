"""One watch of events: first what the log has, at the watch's own speed, then what is appended.

    behind the tail ──▶ reads the log ──▶ reaches the tail ──▶ reads the tail ──▶ left behind by it

A watch holds its position and one message. It is ended with WatchTooSlow when its reader does not
take a message in time, and when the tail no longer has what it would read next.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from typing import Final, cast

from eventlog import ReadableLog, Record
from nc.domain.codec.records import Recorded, events_of
from nc.pb.admin.v1.events_pb2 import WatchEventsResponse
from nc.rpc.admin.errors import WatchTooSlow
from nc.rpc.admin.event_filter import EventSelection
from nc.rpc.admin.logged import NodeNames, kind_of, logged, node_id_of
from nc.rpc.admin.tail import Tail, TailEvent, tail_event
from nc.rpc.admin.turns import Pacer
from nc.rpc.methods import Messages

# A message ends with the event that takes it beyond this: 200 watches that all wait for their
# readers then hold some 15 MB.
_MESSAGE_BYTES: Final = 64 * 1024

# Events that are looked at before others run: some milliseconds.
SLICE: Final = 256

# How long a reader may take for a message.
PATIENCE_S: Final = 5.0

# A message comes at least so often, if need be an empty one: the reader knows then that the watch
# is alive, and how far the log was looked through.
QUIET_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Source:
    """Where all watches read."""

    log: ReadableLog
    tail: Tail
    names: NodeNames
    pacer: Pacer
    patience_s: float


class Watch:
    """A watch, from its first message to its end.

    Args:
        next_seq: the first event to be sent.
        end_seq: it ends after this event; None: it does not.
    """

    def __init__(
        self,
        source: Source,
        messages: Messages,
        selection: EventSelection,
        next_seq: int,
        end_seq: int | None,
    ) -> None:
        self._source = source
        self._messages = messages
        self._selection = selection
        self._next_seq = next_seq
        self._end_seq = end_seq
        self._found: list[bytes] = []  # events to be sent
        self._found_bytes = 0
        self._looked_at = 0  # events since the last slice ended
        self._sent_seq = 0  # the last message's `next_seq`
        self._sent_at = 0.0  # by the loop's time

    async def run(self) -> None:
        """Send what there is, until the end.

        Raises:
            WatchTooSlow: with the place to go on from.
            Stopping, PermissionDenied, LogError: it cannot go on.
        """
        await self._send()  # it tells a new watch where it begins
        await self._read_log()
        await self._read_tail()
        if self._sent_seq != self._next_seq:
            await self._send()

    @property
    def _is_complete(self) -> bool:
        return self._end_seq is not None and self._next_seq > self._end_seq

    async def _read_log(self) -> None:
        tail = self._source.tail
        if self._next_seq >= tail.first_seq or self._is_complete:
            return
        following = cast(
            "AsyncGenerator[Record, None]", self._source.log.follow(self._next_seq - 1)
        )
        async with contextlib.aclosing(following) as records:
            async for record in records:
                await self._take(events_of(record))
                if self._next_seq >= tail.first_seq or self._is_complete:
                    break
        await self._end_slice()

    async def _take(self, events: Iterable[Recorded]) -> None:
        for recorded in events:
            if self._is_complete:
                return
            if recorded.seq < self._next_seq:
                continue
            kind = kind_of(recorded.event)
            entry, node_id = recorded.entry, node_id_of(recorded.event, kind)
            if self._selection.fits(kind, node_id, entry.actor, entry.recorded_at_ns):
                self._add(tail_event(logged(recorded, self._source.names)))
            self._next_seq = recorded.seq + 1
            self._looked_at += 1
            if self._looked_at >= SLICE or self._is_full:
                await self._end_slice()
                await self._source.pacer.turn()

    async def _read_tail(self) -> None:
        tail = self._source.tail
        while not self._is_complete:
            self._messages.check()
            if self._next_seq < tail.first_seq:
                raise WatchTooSlow(self._next_seq)
            for event in tail.after(self._next_seq - 1, SLICE):
                if self._is_full or self._is_complete:
                    break
                if self._selection.fits(event.kind, event.node_id, event.actor, event.at_ns):
                    self._add(event)
                self._next_seq = event.seq + 1
            await self._end_slice()
            if self._next_seq > tail.last_seq and not self._is_complete:
                await tail.wait_beyond(tail.last_seq, QUIET_S)
                await self._end_slice()

    @property
    def _is_full(self) -> bool:
        return self._found_bytes >= _MESSAGE_BYTES

    def _add(self, event: TailEvent) -> None:
        self._found.append(event.encoded)
        self._found_bytes += len(event.encoded)

    async def _end_slice(self) -> None:
        """Send what was found, or say how far the log was looked through if that is due."""
        self._looked_at = 0
        is_due = asyncio.get_running_loop().time() - self._sent_at >= QUIET_S
        if self._found or is_due:
            await self._send()

    async def _send(self) -> None:
        end = WatchEventsResponse(next_seq=self._next_seq).SerializeToString()
        message = b"".join((*self._found, end))
        begins_with = self._sent_seq or self._next_seq
        self._found.clear()
        self._found_bytes = 0
        try:
            async with asyncio.timeout(self._source.patience_s):
                await self._messages.write(message)
        except TimeoutError:
            raise WatchTooSlow(begins_with) from None
        self._sent_seq = self._next_seq
        self._sent_at = asyncio.get_running_loop().time()
