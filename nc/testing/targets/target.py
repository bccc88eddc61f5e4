"""The interface through which the harness drives a network controller.

A target turns the names of operations into the tokens that it was given, carries operations out,
several at the same time if asked, and says when. What it can do besides is its `abilities`; the
machine asks for nothing else. Everything blocks.
"""

from collections.abc import Sequence
from enum import Enum, auto
from typing import NamedTuple, Protocol, runtime_checkable

from nc.testing.contract.happenings import Crash
from nc.testing.contract.history import Answer, LogView
from nc.testing.contract.operations import Operation
from nc.testing.contract.values import NO_LIMITS, Limits, Moment

DEFAULT_NETWORK = "10.1.1.1/24"


class Ability(Enum):
    """What a target can do besides answering calls."""

    LINKS = auto()  # open links, shake hands on them, close them
    CERTIFICATES = auto()  # call with nodes' certificates; not in plain text
    CRASH = auto()  # end in the middle of something, and start again
    RESTART = auto()  # stop cleanly, and start again
    NETWORKS = auto()  # start on any overlay network
    SWEEP = auto()  # sweep when asked, or report when it has done so by itself
    CLOCK = auto()  # move its clock, backwards too; nothing else makes its time pass
    ADMINISTRATION = auto()  # nc.admin.v1, and operators' certificates
    ENROLMENT = auto()  # nc.node.v1, links with any certificate, and nodes that were imported
    MEMBERSHIP = auto()  # other servers on its log, ids that begin alike, a node that it lacks
    ETERNITY = auto()  # tokens that never expire may be left behind


class Request(NamedTuple):
    """One of the operations that begin together."""

    operation: Operation
    request_id: str  # goes along, and is recorded with what it changes
    turns: int = 0  # it begins after the others have had so many; what one is is the target's


class Reply(NamedTuple):
    moment: Moment  # between asking and being answered
    answer: Answer | None  # None: none will ever come


class ServerGone(Exception):
    """The server does not run when it should; the text says why.

    It ended by itself, something in it crashed, or it does not start again.

    Attributes:
        replies: what came of the operations that were under way.
    """

    def __init__(self, reason: str, replies: Sequence[Reply] = ()) -> None:
        self.replies = list(replies)
        super().__init__(reason)


@runtime_checkable
class Target(Protocol):
    @property
    def abilities(self) -> frozenset[Ability]:
        """What the target can do besides calls; constant."""

    def begin(self, network: str, limits: Limits = NO_LIMITS) -> str:
        """Prepare a trial that no earlier one influences.

        Args:
            network: the overlay network to start on, for a target that has the choice.
            limits: the server's settings about its nodes, likewise.

        Returns:
            The one that it is on: the server's own address in it, `10.1.1.1/24`.
        """

    def perform(self, requests: Sequence[Request]) -> list[Reply]:
        """Carry operations out at the same time; returns when all have been answered.

        Raises:
            ServerGone: it ended by itself.
        """

    def wait(self, ms: int) -> None: ...

    def now(self) -> Moment: ...

    def log(self) -> LogView | None:
        """The log behind it, if it can be read.

        Raises:
            ServerGone: it should be readable, and is not.
        """

    def end(self) -> None:
        """End the trial: undo its effects."""

    def close(self) -> None:
        """Idempotent."""


@runtime_checkable
class Mortal(Target, Protocol):
    """A target whose process can be ended, and starts again."""

    def perform_and_crash(self, requests: Sequence[Request], crash: Crash) -> list[Reply]:
        """As `perform`, but the process ends meanwhile or after it, and has started again then.

        Raises:
            ServerGone: it has not.
        """

    def restart(self, network: str) -> None:
        """Stop cleanly, and start again; on another network unless it is "".

        Raises:
            ServerGone: it does not.
        """
