"""`client.events`: the event log, to read and to watch."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from datetime import datetime
from typing import Final, TypedDict, Unpack

from nc.client.arguments import checked
from nc.client.calls import LOG, Area, Items
from nc.client.convert import convert, ms_of, uint32, uint64
from nc.client.errors import Cancelled, DeadlineExceeded, ResourceExhausted, Unavailable
from nc.client.reports import LoggedEvent
from nc.pb.admin.v1 import events_pb2

PAGE_SIZE: Final = 1000

# After which a watch begins again: the server stops, or this program read too slowly.
_PASSING: Final = (Unavailable, DeadlineExceeded, ResourceExhausted, Cancelled)

# A server says something at least every 30 s; after this time the connection is dead.
SILENCE_S: Final = 90.0


class EventFilter(TypedDict, total=False):
    """Events that fit everything that is given.

    Attributes:
        nodes: references; a node that is gone is meant by its whole id.
        kinds: `node_registered`, …
        actor: the beginning of the actor, `certificate:eve` or `link:`.
        since, until: when they were recorded.
    """

    nodes: Iterable[str]
    kinds: Iterable[str]
    actor: str
    since: datetime | None
    until: datetime | None


def _message(given: EventFilter) -> events_pb2.EventFilter:
    return events_pb2.EventFilter(
        nodes=given.get("nodes", ()),
        kinds=given.get("kinds", ()),
        actor=given.get("actor", ""),
        from_ms=max(0, ms_of(given.get("since"))),
        to_ms=max(1, ms_of(until)) if (until := given.get("until")) else 0,
    )


class Events(Area):
    @checked
    def read(
        self,
        from_seq: int = 0,
        *,
        newest_first: bool = False,
        page_size: int = PAGE_SIZE,
        **given: Unpack[EventFilter],
    ) -> Items[LoggedEvent]:
        """The events that are there.

        Args:
            from_seq: where to begin; 0: at the beginning, or at the end with `newest_first`.
            newest_first: backwards.
            page_size: how many come with one call, at most 10,000.
            given: see `EventFilter`.
        """
        request = events_pb2.ReadEventsRequest(
            from_seq=uint64("from_seq", from_seq),
            page_size=uint32("page_size", page_size),
            newest_first=newest_first,
            filter=_message(given),
        )

        async def chunks() -> AsyncGenerator[Sequence[LoggedEvent], None]:
            while True:
                page = await self._calls.read("Events.Read", request)
                yield [convert(LoggedEvent, event) for event in page.events]
                if not page.next_seq:
                    return
                request.from_seq = page.next_seq

        return Items(chunks())

    @checked
    async def last_seq(self) -> int:
        """The sequence number of the newest event; 0: there is none."""
        request = events_pb2.ReadEventsRequest(page_size=1, newest_first=True)
        return int((await self._calls.read("Events.Read", request)).last_seq)

    @checked
    def watch(self, from_seq: int = 0, **given: Unpack[EventFilter]) -> Items[LoggedEvent]:
        """Events as they are recorded, in order, each once, without end.

        When the connection breaks or the server is restarted, the watch connects again, with
        growing pauses, for as long as it takes, and goes on with the next event. To go on after
        this program was restarted, give the `seq` of the last event that it dealt with, plus 1.

        Args:
            from_seq: the first event; 0: the next one from now on.
            given: see `EventFilter`.

        Raises:
            Unavailable: there is no connection at the beginning.
            OutOfRange: the log does not have that event (any more).
            CallFailed: another refusal, such as of a certificate that was revoked.
        """
        return Items(self._watch(uint64("from_seq", from_seq), given))

    async def _watch(
        self, from_seq: int, given: EventFilter
    ) -> AsyncGenerator[Sequence[LoggedEvent], None]:
        request = events_pb2.WatchEventsRequest(from_seq=from_seq, filter=_message(given))
        failures, is_begun = 0, False
        while True:
            try:
                async for answer in self._calls.channel.stream(
                    "Events.Watch", request, silence_s=SILENCE_S
                ):
                    failures, is_begun = 0, True  # the first answer comes at once
                    fresh = [event for event in answer.events if event.seq >= request.from_seq]
                    request.from_seq = max(request.from_seq, answer.next_seq)
                    if fresh:
                        yield [convert(LoggedEvent, event) for event in fresh]
                reason = "the server ended the stream"
            except _PASSING as error:
                if not is_begun:
                    raise
                reason = str(error)
            failures += 1
            LOG.warning("%s; watching again from event %d", reason, request.from_seq)
            await self._calls.pause(failures)
