"""What a replica refuses whatever the command is, and in which words."""

from nc.errors import OperatorError


class Overloaded(Exception):
    """Too many commands are waiting; the caller should try again later."""

    def __init__(self) -> None:
        super().__init__("too many requests are waiting to be written; try again in a moment")


class Stopping(Exception):
    """The replica takes no more commands."""

    def __init__(self) -> None:
        super().__init__("the server is shutting down; try again in a moment")


class Unwritable(Exception):
    """The log cannot be written any more; what became of this command is unknown."""

    def __init__(self) -> None:
        super().__init__(
            "the event log cannot be written; the operator finds why in the server's log"
        )


class DiskFull(OperatorError):
    """There is no room for another event; nothing was changed."""

    def __init__(self) -> None:
        super().__init__(
            "the server's disk is full, and nothing was changed; "
            "try again once its operator has freed some space"
        )
