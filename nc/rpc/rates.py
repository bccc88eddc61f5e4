"""How often each party may do something: so many times at once, and then so many times a second."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

# Parties that are remembered, the longest quiet ones go first; some 150 bytes each.
_MAX_PARTIES: Final = 65_536


class Rates:
    """What each party has spent of its allowance (generic cell rate algorithm). Used in one thread.

    Args:
        per_s: how much of the allowance comes back in a second.
        at_once: how much there is at most.
        monotonic_ns: see `nc.clock.Clock`.
    """

    def __init__(self, per_s: float, at_once: int, monotonic_ns: Callable[[], int]) -> None:
        self.each_ns = int(1e9 / per_s)
        self.at_once = at_once
        self._monotonic_ns = monotonic_ns
        self._full_at_ns: OrderedDict[object, int] = OrderedDict()  # when all of it is back

    def __len__(self) -> int:
        """How many parties are remembered."""
        return len(self._full_at_ns)

    def left(self, party: object) -> int:
        """How many more times the party may do it now."""
        return self.at_once - -(-self._missing_ns(party) // self.each_ns)

    def spend(self, party: object) -> None:
        """Note that the party has done it; without effect on one that has nothing left."""
        if self.left(party) > 0:
            self._full_at_ns[party] = self._monotonic_ns() + self._missing_ns(party) + self.each_ns
            self._full_at_ns.move_to_end(party)
            if len(self._full_at_ns) > _MAX_PARTIES:
                self._full_at_ns.popitem(last=False)

    def wait_s(self, party: object) -> float:
        """In how many seconds the party may do it again."""
        until_one_ns = self._missing_ns(party) - (self.at_once - 1) * self.each_ns
        return max(0, until_one_ns) / 1e9

    def _missing_ns(self, party: object) -> int:
        return max(0, self._full_at_ns.get(party, 0) - self._monotonic_ns())
