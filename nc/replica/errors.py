"""Refusals of a replica that do not depend on the command. The texts reach clients."""

from nc.errors import OperatorError


class Overloaded(Exception):
    """The queue is full; nothing was changed."""

    def __init__(self) -> None:
        super().__init__("too many requests are waiting to be written; try again in a moment")


class Stopping(Exception):
    """The replica is shutting down; nothing was changed."""

    def __init__(self) -> None:
        super().__init__("the server is shutting down; try again in a moment")


class Unwritable(Exception):
    """The log cannot be written any more; whether this command is in it is unknown."""

    def __init__(self) -> None:
        super().__init__(
            "the event log cannot be written; the operator finds why in the server's log"
        )


class DiskFull(OperatorError):
    """The disk has no room for another event; nothing was changed."""

    def __init__(self) -> None:
        super().__init__(
            "the server's disk is full, and nothing was changed; "
            "try again once its operator has freed some space"
        )
