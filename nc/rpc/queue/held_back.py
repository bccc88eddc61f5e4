"""Which addresses are held back: most of their new connections do not begin for a while.

An address is, once many of its connections were hung up on, one after the other. It is not for a
day after an administrator has called from it, who is vouched for.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from nc.net.party import party_at
from nc.rpc.queue.syn_filter import MOST_ADDRESSES
from nc.rpc.rates import Rates

# Connections of an address that may be hung up on before it is held back.
_AT_ONCE: Final = 8
_PER_S: Final = 0.5

# How long it is held back after the last one.
HELD_S: Final = 10.0

# How long somebody is vouched for, and how many addresses that may be.
_VOUCHED_S: Final = 24 * 60 * 60.0
_MOST_VOUCHED: Final = 4096


class HeldBack:
    """Used in two threads: one calls `note` and `vouch`, the other sets the filter.

    Attributes:
        total: how often an address was held back.
    """

    def __init__(self, monotonic_ns: Callable[[], int]) -> None:
        self._monotonic_ns = monotonic_ns
        self._hung_up_on = Rates(_PER_S, _AT_ONCE, monotonic_ns)
        self._until_s: OrderedDict[str, float] = OrderedDict()  # by when it was last seen
        self._vouched: OrderedDict[str, float] = OrderedDict()
        self._has_changed = False
        self._lock = threading.Lock()
        self.total = 0

    def note(self, host: str) -> None:
        """A connection from there is hung up on, which may be one too many."""
        if (party := party_at(host)) is None:
            return
        with self._lock:
            if self._hung_up_on.left(party) > 0:
                self._hung_up_on.spend(party)
                return
            now_s = self._now_s
            if self._vouched.get(party, now_s) > now_s:
                return
            is_new = party not in self._until_s
            self._until_s[party] = now_s + HELD_S
            self._until_s.move_to_end(party)
            if len(self._until_s) > MOST_ADDRESSES:
                self._until_s.popitem(last=False)
            self._has_changed |= is_new
            self.total += is_new

    def vouch(self, host: str) -> bool:
        """Do not hold back this address; whether it was."""
        if (party := party_at(host)) is None:
            return False
        with self._lock:
            self._vouched[party] = self._now_s + _VOUCHED_S
            self._vouched.move_to_end(party)
            if len(self._vouched) > _MOST_VOUCHED:
                self._vouched.popitem(last=False)
            was_held = self._until_s.pop(party, None) is not None
            self._has_changed |= was_held
            return was_held

    def changed(self) -> list[str] | None:
        """All addresses that are held back now; None: the same as at the last call."""
        now_s = self._now_s
        with self._lock:
            while self._until_s and (oldest := next(iter(self._until_s.items())))[1] <= now_s:
                del self._until_s[oldest[0]]
                self._has_changed = True
            if not self._has_changed:
                return None
            self._has_changed = False
            return list(self._until_s)

    @property
    def next_s(self) -> float | None:
        """When the next one is no longer held back, monotonic; None if there is none."""
        with self._lock:
            return next(iter(self._until_s.values()), None)

    @property
    def _now_s(self) -> float:
        return self._monotonic_ns() / 1e9
