"""Playing a history: a position in it, and the moves. Pure; time comes in as nanoseconds.

    state(position) = fold(the first `position` events)      whichever moves led there

States are immutable and share what they have in common, so a checkpoint is kept every
CHECKPOINT_EVENTS events, and going back is folding forward from the checkpoint before.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final, NamedTuple, Self

from nc.domain.codec.records import Recorded
from nc.domain.evolve import evolve_recorded
from nc.domain.state import State
from nc.history.events import Point, seq_of
from nc.history.fields import field_texts, kind_of

# A state is kept every so many events: folding as many takes a few milliseconds.
CHECKPOINT_EVENTS: Final = 500

# Faster than any real time: an event after the other, slowly enough to watch; more of them at
# once if it would take longer than this in all.
AS_FAST_AS_IT_GOES: Final = math.inf
_SHOWN_NS: Final = 100_000_000
_ALL_NS: Final = 60_000_000_000

# The speeds that keys choose, in multiples of real time.
_SPEEDS: Final = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 100_000, AS_FAST_AS_IT_GOES)

# A longer time without an event is cut to this.
LONGEST_WAIT_NS: Final = 3_000_000_000


class Recording(NamedTuple):
    """Events, and the states that they lead to, without gaps."""

    events: Sequence[Recorded]
    checkpoints: Sequence[State]  # after each CHECKPOINT_EVENTS events; the first before them all

    def state_at(self, position: int) -> State:
        """The state after the first `position` events."""
        nearest, rest = divmod(position, CHECKPOINT_EVENTS)
        events = self.events[position - rest : position]
        return evolve_recorded(self.checkpoints[nearest], events)


def recording_of(
    history: Iterable[Recorded],
    start: State | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Recording:
    """Fold a history, keeping its events and checkpoints.

    Args:
        history: the events after `start`.
        start: the state that they begin with; the one before everything by default.
        progress: called with a sequence number now and then.

    Raises:
        UnknownEvent: a newer version wrote one of the events.
    """
    events: list[Recorded] = []
    checkpoints = [start or State()]
    remaining = iter(history)
    while chunk := list(islice(remaining, CHECKPOINT_EVENTS)):
        events += chunk
        checkpoints.append(evolve_recorded(checkpoints[-1], chunk))
        progress(chunk[-1].seq)
    return Recording(events, checkpoints)


def stops_with(recording: Recording, stops: Sequence[int], text: str) -> Sequence[int]:
    """Of these stops the first, and those whose events have a text in them, in any case.

    It is looked for in the kind, each field and the entry's actor, method and request id.
    """
    wanted = text.casefold()
    if not wanted:
        return stops
    first, *others = stops
    return [first, *(stop for stop in others if _has(recording.events[stop - 1], wanted))]


def _has(recorded: Recorded, wanted: str) -> bool:
    entry, event = recorded.entry, recorded.event
    said = (kind_of(event), *field_texts(event).values())
    texts = (*said, entry.actor, entry.method, entry.request_id)
    return any(wanted in each.casefold() for each in texts)


@dataclass(frozen=True, slots=True)
class Player:
    """A position in a recording, and how it is played. Each move makes a new Player.

    A stop is a position at which the player can be: how many of the recording's events have been
    played. Only some positions are stops when only some of the events are asked for.
    """

    recording: Recording
    stops: Sequence[int]  # ascending, one at least; 0 is before everything
    at: int = 0  # the stop; 0 ≤ at < len(stops)
    playing: bool = False
    speed: float = AS_FAST_AS_IT_GOES  # times real time
    waited_ns: int = 0  # since this stop was reached; less than `wait_ns` while it plays

    @property
    def position(self) -> int:
        return self.stops[self.at]

    @property
    def state(self) -> State:
        return self.recording.state_at(self.position)

    @property
    def present(self) -> Recorded | None:
        return self.recording.events[self.position - 1] if self.position else None

    @property
    def last(self) -> int:
        return len(self.stops) - 1

    def around(self, count: int) -> tuple[list[Recorded], list[Recorded]]:
        before = self.stops[max(self.at - count, 0) : self.at]
        after = self.stops[self.at + 1 : self.at + 1 + count]
        return self._at(before), self._at(after)

    def _at(self, positions: Iterable[int]) -> list[Recorded]:
        return [self.recording.events[position - 1] for position in positions if position]

    def toggled(self) -> Self:
        return replace(self, playing=not self.playing and self.at < self.last)

    def stepped(self, by: int) -> Self:
        """Move by `by` stops, and pause there."""
        return replace(self.skipped(by), playing=False)

    def skipped(self, by: int) -> Self:
        """Move by `by` stops, at most to the first or the last; keep playing."""
        at = min(max(self.at + by, 0), self.last)
        return replace(self, at=at, waited_ns=0, playing=self.playing and at < self.last)

    def jumped(self, point: Point) -> Self:
        """To the last stop that is at that place or before it, as `log at` finds it."""
        seq = seq_of(self.recording.events, point)
        position = bisect_right(self.recording.events, seq, key=lambda recorded: recorded.seq)
        return self.skipped(max(bisect_right(self.stops, position) - 1, 0) - self.at)

    def among(self, stops: Sequence[int]) -> Self:
        """At other stops of the recording: at the last that is not behind the present one."""
        at = max(bisect_right(stops, self.position) - 1, 0)
        return replace(self, stops=stops, at=at, waited_ns=0, playing=False)

    def faster(self) -> Self:
        return self._at_speed(min((s for s in _SPEEDS if s > self.speed), default=self.speed))

    def slower(self) -> Self:
        return self._at_speed(max((s for s in _SPEEDS if s < self.speed), default=self.speed))

    def _at_speed(self, speed: float) -> Self:
        return replace(self, speed=speed, waited_ns=0)

    def gap_ns(self, at: int) -> int:
        """The recorded time from a stop to the next; 0 if a clock was put back."""
        if at >= self.last or self.stops[at] == 0:
            return 0
        one, other = (self.recording.events[stop - 1].entry for stop in self.stops[at : at + 2])
        return max(other.recorded_at_ns - one.recorded_at_ns, 0)

    def wait_ns(self, at: int) -> int:
        """How long the player waits there at this speed."""
        if self.speed == AS_FAST_AS_IT_GOES:
            return min(_SHOWN_NS, _ALL_NS // len(self.stops))
        return int(min(self.gap_ns(at) / self.speed, LONGEST_WAIT_NS))

    @property
    def cuts_the_gap(self) -> bool:
        """Whether the next event comes sooner than it would at this speed."""
        is_real = self.speed < AS_FAST_AS_IT_GOES
        return is_real and self.gap_ns(self.at) / self.speed > LONGEST_WAIT_NS

    def advanced(self, elapsed_ns: int) -> Self:
        """Let time pass; playing pauses at the end."""
        if not self.playing:
            return self
        at, waited_ns = self.at, self.waited_ns + elapsed_ns
        while at < self.last and waited_ns >= (wait_ns := self.wait_ns(at)):
            waited_ns -= wait_ns
            at += 1
        if at == self.last:
            return replace(self, at=at, waited_ns=0, playing=False)
        return replace(self, at=at, waited_ns=waited_ns)
