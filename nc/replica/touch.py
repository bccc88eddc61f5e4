"""For how long a replica has been out of touch with the others, and what that ends.

    in touch ──▶ out of touch ──▶ queries are refused ──▶ nodes may leave ──▶ changes are refused
                                  after 2 s               after 4 s           after 12 s

A replica that is cut off cannot know whether the others go on without it. A query or a change that
comes soon after touch was lost waits, for as long as an election may take; later ones are refused
at once.

Times are those of one's own monotonic clock.
"""

from collections.abc import Callable
from typing import Final

from nc.replica.leases import NS

# How long a query waits until it may be answered, or is refused.
CURRENT_WAIT_S: Final = 2.0

# How long a change waits for a leader, and for its answer: longer than it takes to elect one.
CHANGE_WAIT_S: Final = 12.0

# A replica that is out of touch for so long, and hears no others, asks its nodes to go to them, who
# take it for lost about then. With what a lease lasts before, 5.5 s after it was cut off.
LEAVE_AFTER_S: Final = 4.0


class Touch:
    """Of one replica.

    Args:
        now_ns: a monotonic clock.
    """

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self._lost_ns: int | None = now_ns()  # when it was found out of touch; None: it was not

    def look(self, *, is_in_touch: bool) -> None:
        """Take over whether the replica is in touch now; often.

        Nothing is found while a machine sleeps: what passes then is no time without the others.
        """
        if is_in_touch:
            self._lost_ns = None
        elif self._lost_ns is None:
            self._lost_ns = self._now_ns()

    @property
    def out_s(self) -> float:
        """For how long it is out of touch."""
        return 0.0 if self._lost_ns is None else (self._now_ns() - self._lost_ns) / NS

    @property
    def is_lost(self) -> bool:
        """Whether it is out of touch for so long that its nodes may be better off elsewhere."""
        return self.out_s >= LEAVE_AFTER_S

    def left_s(self, wait_s: float) -> float:
        """What is left of a wait for the others; less than 0: nothing."""
        return wait_s - self.out_s
