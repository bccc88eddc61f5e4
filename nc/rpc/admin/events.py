"""nc.admin.v1.Events: the log's events in pages, and as they are appended."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Final

from eventlog import ReadableLog
from nc.domain.codec.records import Recorded, events_of
from nc.pb.admin.v1 import events_pb2 as pb
from nc.replica.replica import Replica
from nc.rpc.admin.context import Context
from nc.rpc.admin.errors import OutOfLog
from nc.rpc.admin.event_filter import EventSelection, event_selection
from nc.rpc.admin.logged import NodeNames, kind_of, logged, node_id_of
from nc.rpc.admin.paging import page_size
from nc.rpc.admin.tail import Tail
from nc.rpc.admin.turns import Pacer, Turns
from nc.rpc.admin.watching import PATIENCE_S, SLICE, Source, Watch
from nc.rpc.api import Call
from nc.rpc.methods import Messages

MOST_EVENTS: Final = 10_000

# A page ends with the event that takes it beyond this: gRPC's clients take 4 MB by default.
_PAGE_BYTES: Final = 3 * 1024 * 1024

# A page ends when so many events were looked at, however few fit: half a second of work.
MOST_LOOKED_AT: Final = 50_000


# How long an event of another replica may take to become part of the state.
_APPLIED_S: Final = 1.0


class Progress:
    """How far a replica's state has come; the log is ahead of it for a moment."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._moved = asyncio.Event()
        replica.observe(lambda _: self._moved.set())

    async def reached(self, seq: int) -> None:
        """Wait until the state has an event, but not for ever."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_APPLIED_S):
                while self._replica.state.seq < seq:
                    self._moved.clear()
                    await self._moved.wait()


class EventsService:
    """The operations of the service; the errors are the domain's, and those of `errors`.

    Raises of each, besides: LogError, the log cannot be read.
    """

    def __init__(self, context: Context, log: ReadableLog) -> None:
        self._context = context
        self._log = log
        names = NodeNames(lambda: context.state)
        tail = Tail(log, names, Progress(context.replica).reached)
        self.source = Source(log, tail, names, Pacer(), PATIENCE_S)
        self._reading = Turns("read events", working=4, waiting=64)
        self._first_seq = 0

    @property
    def first_seq(self) -> int:
        """The first event of the log, or the one that will be."""
        if not self._first_seq:
            first = next(iter(self._log.read(0)), None)
            if first is None:
                return self._log.last_seq + 1
            self._first_seq = first.first_seq
        return self._first_seq

    def stop(self) -> None:
        self.source.tail.stop()

    async def read(self, request: pb.ReadEventsRequest, call: Call) -> pb.ReadEventsResponse:
        """One page. It may have fewer events than it could, even none, and not be the last."""
        size = page_size(request.page_size, MOST_EVENTS)
        selection = self._selection(request.filter, call)
        first, last = self.first_seq, self._log.last_seq
        self.require_in_log(request.from_seq)
        answer = pb.ReadEventsResponse(first_seq=first, last_seq=last)
        if request.newest_first:
            events = self._backwards(first, min(request.from_seq or last, last))
        else:
            events = self._forwards(request.from_seq or first)
        async with self._reading.taken():
            await self._fill(answer, events, selection, size)
        return answer

    async def _fill(
        self,
        answer: pb.ReadEventsResponse,
        events: Iterator[Recorded],
        selection: EventSelection,
        size: int,
    ) -> None:
        """Look at events until the page is full, or that was work enough."""
        size_bytes = 0
        for looked_at, recorded in enumerate(events):
            is_full = len(answer.events) >= size or size_bytes >= _PAGE_BYTES
            if is_full or looked_at >= MOST_LOOKED_AT:
                answer.next_seq = recorded.seq
                return
            kind = kind_of(recorded.event)
            entry, node_id = recorded.entry, node_id_of(recorded.event, kind)
            if selection.fits(kind, node_id, entry.actor, entry.recorded_at_ns):
                message = logged(recorded, self.source.names)
                answer.events.append(message)
                size_bytes += message.ByteSize()
            if looked_at % SLICE == SLICE - 1:
                await self.source.pacer.turn()

    def _forwards(self, first: int) -> Iterator[Recorded]:
        for record in self._log.read(first - 1):
            yield from (each for each in events_of(record) if each.seq >= first)

    def _backwards(self, first: int, last: int) -> Iterator[Recorded]:
        """The events from the last to the first, read in slices."""
        while last >= first:
            start = max(first, last - SLICE + 1)
            some = []
            for recorded in self._forwards(start):
                if recorded.seq > last:
                    break
                some.append(recorded)
            yield from reversed(some)
            last = start - 1

    async def watch(self, messages: Messages, call: Call) -> None:
        """Send events until the caller goes away.

        Raises:
            WatchTooSlow, Stopping, PermissionDenied: it ends; watch again.
        """
        data = await messages.read()
        if data is None:
            return
        request = pb.WatchEventsRequest.FromString(data)
        self.require_in_log(request.from_seq)
        selection = self._selection(request.filter, call)
        async with self.source.tail.watched():
            last = self._log.last_seq
            watch = Watch(
                self.source,
                messages,
                selection,
                next_seq=request.from_seq or last + 1,
                end_seq=last if request.stop_at_end else None,
            )
            await watch.run()

    def _selection(self, wanted: pb.EventFilter, call: Call) -> EventSelection:
        state = self._context.state
        selection = event_selection(wanted, state, self._context.token_ids.id_of)
        call.means(state, *selection.nodes)
        return selection

    def require_in_log(self, seq: int) -> None:
        """Raises OutOfLog: the log has no such event, and no next one that would be it."""
        first, last = self.first_seq, self._log.last_seq
        if seq and seq < first:
            raise OutOfLog(f"the log begins with event {first}: ask from there on, or from 0")
        if seq > last + 1:
            raise OutOfLog(
                f"the log ends with event {last}, before {seq}; if you have seen later ones, the "
                "server's log was put back from an older backup: begin anew"
            )
