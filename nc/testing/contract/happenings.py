"""Happenings: what befalls a server without an operation that asks for it."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Wait:
    """Time passes; a negative value sets the clock back, where the target allows it."""

    ms: int


@dataclass(frozen=True, slots=True)
class Restart:
    """The process stops cleanly, and starts again."""

    network: str = ""  # another overlay network from now on; "" for the same


@dataclass(frozen=True, slots=True)
class Crash:
    """The process ends while operations are under way, and starts again.

    A real process is killed; on a simulated disk the power fails, too, and what was not synced is
    kept or lost by chance.
    """

    at_step: int = 0  # how much of what is under way still happens
    keep: float = 0.0  # the share of what was not synced that is kept
    seed: int = 0  # of the chance


Happening: TypeAlias = Wait | Restart | Crash
