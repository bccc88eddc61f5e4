"""Refusals of nc.admin.v1 that no decision of the domain makes. The texts reach clients."""

from typing import Final


class BadRequest(Exception):
    """A request is not what it should be."""


class InvalidField(BadRequest):
    """A field of a request is not what it should be.

    Args:
        field: as the .proto file calls it.
        problem: what is wrong, and what is allowed.
    """

    def __init__(self, field: str, problem: str) -> None:
        self.field = field
        super().__init__(f"{field}: {problem}")


class NotFound(Exception):
    """Nothing here is called that."""


class Ambiguous(Exception):
    """A reference fits several things."""


class NotPossible(Exception):
    """The request is good, and cannot be done as things are."""


class OutOfLog(Exception):
    """A sequence number lies outside of the log."""


class LogUnreadable(Exception):
    """The log is damaged, or cannot be read."""


class WatchTooSlow(Exception):
    """A watch was left behind by the events.

    Attributes:
        next_seq: the first event that it was not sent.
    """

    def __init__(self, next_seq: int) -> None:
        self.next_seq = next_seq
        super().__init__(
            "this watch reads too slowly, so it was ended; to miss nothing, watch again "
            f"from_seq={next_seq}"
        )


class TooMuchWork(Exception):
    """As many requests of this kind as may wait do so, or this one takes too much."""


# Those that a sentence makes, by their names.
REFUSALS: Final[dict[str, type[Exception]]] = {
    kind.__name__: kind
    for kind in (BadRequest, NotFound, Ambiguous, NotPossible, OutOfLog, LogUnreadable)
}
