"""What the model and the operations are about: moments, settings, tokens' terms, refusals."""

from typing import Final, NamedTuple

ADMIN: Final = "admin"  # the administrator whose certificate the server made
VIEWER: Final = "viewer"  # as a role; that of the others is ADMIN

DAY_MS = 24 * 60 * 60 * 1000
MINUTE_MS = 60_000
DEFAULT_MINUTES = 10
TEN_YEARS_MINUTES = 5_256_000

HELLO_LIMIT_MS = 10_000  # how long a link may go without a handshake

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
    """Settings of a server about its nodes."""

    max_nodes: int = 0  # registered at one time; 0: any number
    reclaim_after_ms: int = 0  # how long a node must be idle to lose its address; 0: not at all


NO_LIMITS: Final = Limits()


class Terms(NamedTuple):
    """What a bootstrap token was issued with beside its lifetime; 0 and "": without."""

    max_uses: int = 0
    max_nodes: int = 0
    prefix: str = ""  # of its nodes' names
    label: str = ""  # of its nodes


NO_TERMS: Final = Terms()


class Profile(NamedTuple):
    """What is known of a node that no link changes."""

    token: str
    rank: int  # which of its token's nodes it is, of a day
    name: str  # with # for the first digits of its id
    label: str = ""
