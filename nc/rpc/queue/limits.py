"""What the calls of a port may take."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How many, how much, and how long.

    Attributes:
        calls: under way at once.
        awaited: without a message, of one party that sends few (see `stalls`).
        bodies, bodies_of_party: messages received at once, in each pool.
        body_s: how long a call may wait for a message.
        answer_s: how long a caller may take to read an answer.
        brought: bytes that a connection may bring within a minute while memory grows (see
            `floods`).
    """

    calls: int = 20_480
    awaited: int = 512
    bodies: int = 24
    bodies_of_party: int = 12
    body_s: float = 10.0
    answer_s: float = 10.0
    brought: int = 8 * 1024 * 1024
