"""What the model and the operations are about: moments, settings, tokens' terms, refusals."""

from typing import Final, NamedTuple

ADMIN: Final = "admin"  # the administrator whose certificate the server made
VIEWER: Final = "viewer"  # as a role; that of the others is ADMIN
UPSTREAM: Final = "upstream"  # whose certificates nodes that were imported have
SERVER: Final = "harness"  # as the server calls itself among those that share its log
DATABASE: Final = "database 1"  # which the nodes that were imported at first are from
LOST: Final = "lost 1"  # a node that the log lacks, with certificates of the server's CAs
ENDED: Final = "ended certificate of lost 1"
_OLD: Final = "old certificate of "

DAY_MS = 24 * 60 * 60 * 1000
MINUTE_MS = 60_000
DEFAULT_MINUTES = 10
TEN_YEARS_MINUTES = 5_256_000

HELLO_LIMIT_MS = 10_000  # how long a link may go without a handshake

LATEST_EXPIRY_MS: Final = (2**32 - 1) * 1000  # of the API of LiteKube

IDLE, INIT, CONNECTED = -1, 1, 3  # as clients see them


class Moment(NamedTuple):
    """Something happened between these two times, Unix milliseconds, both included."""

    earliest_ms: int
    latest_ms: int

    def plus(self, ms: int) -> "Moment":
        """Both bounds, `ms` later."""
        return Moment(self.earliest_ms + ms, self.latest_ms + ms)


Expiry = Moment | None  # None: never


def at(ms: int) -> Moment:
    """An exact moment."""
    return Moment(ms, ms)


class Refused(Exception):
    """The command changes nothing; the argument says why, in one word."""


class Limits(NamedTuple):
    """What a server begins with: its settings about nodes, and nodes that were imported."""

    max_nodes: int = 0  # registered at one time; 0: any number
    reclaim_after_ms: int = 0  # how long a node must be idle to lose its address; 0: not at all
    imported: int = 0  # how many nodes an upstream server's database had


NO_LIMITS: Final = Limits()


class Terms(NamedTuple):
    """What a bootstrap token was issued with beside its lifetime; 0 and "": without."""

    max_uses: int = 0
    max_nodes: int = 0
    prefix: str = ""  # of its nodes' names
    label: str = ""  # of its nodes


NO_TERMS: Final = Terms()


class Told(NamedTuple):
    """Facts that a machine tells; what is "" stays what it was."""

    hostname: str = ""
    agent_version: str = ""

    def after(self, before: "Told") -> "Told":
        """What is known once these were told."""
        return Told(*(new or old for new, old in zip(self, before, strict=True)))


NO_FACTS: Final = Told()


class Profile(NamedTuple):
    """What is known of a node that no link's state changes."""

    token: str
    rank: int  # which of its token's nodes it is, of a day
    name: str  # with # for the first digits of its id
    label: str = ""
    key: str = ""  # the machine that made it; "": the server did
    told: Told = NO_FACTS
    is_imported: bool = False  # and has not renewed its certificates


def imported_nodes(count: int) -> list[str]:
    """Their names; the first of them has an address."""
    return [f"imported {number + 1}" for number in range(count)]


def old(node: str) -> str:
    """Names a node's certificates of before its last renewal."""
    return f"{_OLD}{node}"


def owner(certificate: str) -> str:
    return certificate.removeprefix(_OLD)
