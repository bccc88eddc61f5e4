"""A filter on the events of a history."""

from typing import NamedTuple

from nc.history.events import Point, Recorded, field_of

__all__ = ["Filter", "is_by"]


def is_by(actor: str, wanted: str) -> bool:
    """Whether an actor is meant: it begins so, or has this between its colons, as a name."""
    return actor.startswith(wanted) or f":{wanted}:" in f"{actor}:"


class Filter(NamedTuple):
    """An event is chosen if it meets every condition; None or empty is no condition."""

    node: str | None = None  # its id
    address: str | None = None
    actor: str | None = None  # as of `is_by`
    kinds: frozenset[str] = frozenset()  # members of `Event.kind`
    start: Point = Point()
    end: Point = Point()

    def chooses(self, recorded: Recorded) -> bool:
        event = recorded.event
        return (
            (self.node is None or field_of(event, "node_id") == self.node)
            and (self.address is None or field_of(event, "address") == self.address)
            and (self.actor is None or is_by(recorded.entry.actor, self.actor))
            and (not self.kinds or event.WhichOneof("kind") in self.kinds)
            and _is_between(recorded, self.start, self.end)
        )


def _is_between(recorded: Recorded, start: Point, end: Point) -> bool:
    seq, at_ns = recorded.seq, recorded.entry.recorded_at_ns
    return not (
        (start.seq is not None and seq < start.seq)
        or (start.at_ns is not None and at_ns < start.at_ns)
        or (end.seq is not None and seq > end.seq)
        or (end.at_ns is not None and at_ns > end.at_ns)
    )
