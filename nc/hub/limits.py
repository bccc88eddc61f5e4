"""What links may take of time and of room. Tests shorten the times; nobody else changes them."""

from dataclasses import dataclass
from typing import Final

# Connections that are not links yet: each costs some 60 kB. Beyond it they wait in the kernel.
MAX_NEWCOMERS: Final = 1024

# How long one may take from TCP's handshake to the WebSocket upgrade.
UPGRADE_TIMEOUT_S: Final = 10.0

# Links at once, those included that are being closed: as many as a /16 has nodes.
MAX_LINKS: Final = 32_768

# Links that have no address yet. Each has one command waiting at the most, so that half of the
# replica's queue is left for calls.
MAX_HANDSHAKES: Final = 2048

HELLO_TIMEOUT_S: Final = 10.0  # LiteKube link reference
SILENCE_TIMEOUT_S: Final = 60.0  # as above

# How long the other end may take to answer a close frame, and to read what was sent before it.
CLOSE_TIMEOUT_S: Final = 2.0

# How often a link is looked at within the time that it may be silent: so exactly that is kept.
CHECKS_PER_TIMEOUT: Final = 30

# After how many looks without a sign of life we ask for one: every third of that time.
CHECKS_BEFORE_PING: Final = 10

# How many links are looked at before it is others' turn: a ping takes some ten microseconds, and
# after a restart all links are silent at the same time.
LINKS_PER_TURN: Final = 50


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one server; see the constants."""

    max_newcomers: int = MAX_NEWCOMERS
    upgrade_timeout_s: float = UPGRADE_TIMEOUT_S
    max_links: int = MAX_LINKS
    max_handshakes: int = MAX_HANDSHAKES
    hello_timeout_s: float = HELLO_TIMEOUT_S
    silence_timeout_s: float = SILENCE_TIMEOUT_S
    close_timeout_s: float = CLOSE_TIMEOUT_S
