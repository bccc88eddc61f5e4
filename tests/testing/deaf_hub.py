"""A hub that does not hear of some ends of links: what several planted bugs come down to."""

from collections.abc import Callable, Iterable

from nc.domain.events import Event
from nc.hub.hub import Hub


def deaf_to(reason: int) -> Callable[[Hub, Iterable[Event]], None]:
    """A `Hub.follow` that does not end the links that were dropped for a reason."""
    follow = Hub.follow

    def deaf(self: Hub, events: Iterable[Event]) -> None:
        follow(self, [event for event in events if event.state_changed.reason != reason])

    return deaf
