"""Which events are wanted: the options that choose, and what they choose."""

from collections.abc import Iterable
from typing import Annotated, Final, NamedTuple

import typer

from nc.cli.render import KIND_NAMES
from nc.history.events import Point, Recorded, field_of

NodeOption = Annotated[
    str | None,
    typer.Option(help="Only about this node: its id, the beginning of it, or its token."),
]
AddressOption = Annotated[
    str | None, typer.Option(metavar="IP", help="Only about this overlay address.")
]
ActorOption = Annotated[
    str | None,
    typer.Option(help="Only by this actor, or one with this part: system, certificate:admin."),
]
KindsOption = Annotated[
    list[str] | None, typer.Option("--type", help="Only this kind; may be given repeatedly.")
]
FromOption = Annotated[
    str | None,
    typer.Option("--from", metavar="SEQ|TIME", help="From there: 2026-11-20T15:00, -2h, or now."),
]
ToOption = Annotated[
    str | None, typer.Option("--to", metavar="SEQ|TIME", help="Up to there, and with it.")
]

_KINDS: Final = {name.lower(): kind for kind, name in KIND_NAMES.items()}


class Filter(NamedTuple):
    """What is asked for; None or nothing: anything. An event has to be all of it."""

    node: str | None = None  # its id
    address: str | None = None
    actor: str | None = None  # all of it, or whole parts between colons
    kinds: frozenset[str] = frozenset()  # members of `Event.kind`
    start: Point = Point()
    end: Point = Point()

    @property
    def is_of_places_alone(self) -> bool:
        """Whether everything between the two places is asked for."""
        return self._replace(start=Point(), end=Point()) == EVERYTHING

    def chooses(self, recorded: Recorded) -> bool:
        """Whether the event is among what is asked for."""
        event = recorded.event
        return (
            (self.node is None or field_of(event, "node_id") == self.node)
            and (self.address is None or field_of(event, "address") == self.address)
            and (self.actor is None or f":{self.actor}:" in f":{recorded.entry.actor}:")
            and (not self.kinds or event.WhichOneof("kind") in self.kinds)
            and _reached(recorded, self.start)
            and (self.end == Point() or not _passed(recorded, self.end))
        )


EVERYTHING: Final = Filter()


def kinds_named(texts: Iterable[str]) -> frozenset[str]:
    """The kinds of events that these names stand for, however they are capitalised."""
    for text in texts:
        if text.lower() not in _KINDS:
            raise typer.BadParameter(
                f"--type {text!r} is no kind of event: use {', '.join(KIND_NAMES.values())}"
            )
    return frozenset(_KINDS[text.lower()] for text in texts)


def _reached(recorded: Recorded, point: Point) -> bool:
    if point.seq is not None:
        return recorded.seq >= point.seq
    return point.at_ns is None or recorded.entry.recorded_at_ns >= point.at_ns


def _passed(recorded: Recorded, point: Point) -> bool:
    if point.seq is not None:
        return recorded.seq > point.seq
    return point.at_ns is not None and recorded.entry.recorded_at_ns > point.at_ns
