"""Refusals of a replica that do not depend on the command. The texts reach clients."""

from collections.abc import Callable
from functools import partial

from eventlog import LogBusy, LogFull, LogLacking
from nc import log_events
from nc.errors import USAGE, OperatorError


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


class WriteRefused(OperatorError):
    """Something is lacking for now; nothing was changed, and a later try may succeed.

    Attributes:
        event: the name of its log line.
        waits_for: what changes wait for, as `ncadm status` shows it.
    """

    event = log_events.LOG_LACKING
    waits_for = ""

    def __init__(self, what: str) -> None:
        self.waits_for = (
            f"the event log cannot be written now ({what}), so changes are refused; remove the "
            "cause, and the server goes on by itself"
        )
        super().__init__(
            f"the server cannot write now ({what}), and nothing was changed; it tries again by "
            "itself: try again in a moment, or once its operator has removed the cause"
        )


class DiskFull(WriteRefused):
    """The disk has no room for another event."""

    event = log_events.LOG_FULL
    waits_for = (
        "the event log's disk is full, so changes are refused; free some space, and the server "
        "goes on by itself"
    )

    def __init__(self) -> None:
        OperatorError.__init__(
            self,
            "the server's disk is full, and nothing was changed; "
            "try again once its operator has freed some space",
        )


class NoMajority(WriteRefused):
    """Too few of the servers that keep the log answer; this command was not tried."""

    event = log_events.LOG_BUSY
    waits_for = (
        "changes wait for a majority: too few of the servers of NATS that keep the event log "
        "answer; bring them back, and the server goes on by itself"
    )

    def __init__(self) -> None:
        OperatorError.__init__(
            self,
            "too few of the servers of NATS that keep the event log answer, and nothing was "
            "changed; try again in a moment, or once the operator has brought them back",
        )


class NoLeader(WriteRefused):
    """No replica leads that can be reached; this command was not tried."""

    def __init__(self) -> None:
        OperatorError.__init__(
            self,
            "no server leads the others at the moment, and nothing was changed; try again in a "
            "moment",
        )


class LeaderTooOld(WriteRefused):
    """The replica that leads is of a version that does not know this; it was not tried."""

    def __init__(self) -> None:
        OperatorError.__init__(
            self,
            "the server that leads is of an older version, which does not know this, and nothing "
            "was changed; upgrade that server, and try again",
        )


class OutcomeOpen(OperatorError):
    """The log has no majority; whether this command is in it is found out once it has one."""

    def __init__(self) -> None:
        super().__init__(
            "too few of the servers of NATS that keep the event log answer, and whether this was "
            "done is not known yet; see whether it was before you do it again"
        )


class NotLeading(Exception):
    """Another replica leads, or none; nothing was changed."""

    def __init__(self) -> None:
        super().__init__("another server leads now, and nothing was changed; try again")


class NotCurrent(Exception):
    """This replica may have missed something: it answers nothing now."""

    def __init__(self) -> None:
        super().__init__(
            "this server is not in touch with the others, so what it knows may be out of date; "
            "try again in a moment, or at another server"
        )


class LeaderLost(OutcomeOpen):
    """The replica that leads was gone before it answered."""

    def __init__(self) -> None:
        OperatorError.__init__(
            self,
            "the server that leads was lost before it answered, and whether this was done is not "
            "known; see whether it was before you do it again",
        )


class LeaderFailed(OutcomeOpen):
    """The replica that leads has a bug, which its own log has."""

    def __init__(self) -> None:
        OperatorError.__init__(
            self,
            "the server that leads failed at this, and whether it was done is not known; the "
            "operator finds why in that server's log",
        )


class Replaced(OperatorError):
    """Another server has begun to use the log, and has ended this one's session."""

    def __init__(self) -> None:
        super().__init__(
            "another server has started on the same log in this one's place, as it does with a "
            "copy of this data folder; stop one of the two, then start the other again; a further "
            "server needs an empty data folder and an invitation (ncadm replicas invite)"
        )


class Removed(Replaced):
    """An administrator has removed this replica."""

    exit_code = USAGE
    kind = "usage"

    def __init__(self) -> None:
        OperatorError.__init__(
            self,
            "this server was removed (ncadm replicas remove), and is refused from now on; to let "
            "it in again, invite it (ncadm replicas invite), and start it on an empty data folder",
        )


def refusal_for(error: LogLacking | LogBusy) -> Callable[[], WriteRefused]:
    """Make the refusals of commands, without the log's path."""
    if isinstance(error, LogBusy):
        return NoMajority
    if isinstance(error, LogFull):
        return DiskFull
    return partial(WriteRefused, getattr(error.__cause__, "strerror", None) or "no memory is left")
