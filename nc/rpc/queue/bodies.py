"""Which calls may receive their body now, so that bodies take bounded memory.

gRPC takes no more of a body than the flow-control window until it is asked to receive the message,
and then all of it, up to the port's limit. An honest caller's body arrives with its headers, so
few are ever asked for at once. A caller that sends headers only, or its body slowly, uses up its
own party's room alone; parties take turns at what is left of the port's.
"""

from collections import OrderedDict, deque
from itertools import islice
from typing import Protocol


class Receiver(Protocol):
    """What waits for its body: a call."""

    party: object

    def start_receiving(self) -> bool:
        """Receive it now; False if that makes no sense any more."""


class Bodies:
    """The bodies that are being received, and the calls that wait to. Used in one thread only.

    Args:
        for_all: how many may be received at once.
        for_party: how many of one party.
    """

    def __init__(self, for_all: int, for_party: int) -> None:
        self._for_all = for_all
        self._for_party = for_party
        self._of_all = 0
        self._of_party: dict[object, int] = {}
        self._waiting: OrderedDict[object, deque[Receiver]] = OrderedDict()  # by party, in turn

    @property
    def received_now(self) -> int:
        return self._of_all

    def await_turn(self, call: Receiver) -> None:
        """Have the call receive its body, now or once there is room."""
        if not self._has_room(call.party):
            self._waiting.setdefault(call.party, deque()).append(call)
        elif call.start_receiving():
            self._count(call.party)

    def release(self, call: Receiver) -> None:
        """Note that the call's body is there, or will not come; others may get its room."""
        party = call.party
        was_full = self._of_all >= self._for_all
        self._of_all -= 1
        left = self._of_party[party] - 1
        if left:
            self._of_party[party] = left
        else:
            del self._of_party[party]
        if was_full:
            self._start_waiting()
        elif party in self._waiting:  # the others wait for room of their own parties
            self._start_next_of(party)

    def _start_waiting(self) -> None:
        """Start calls that wait, as long as there is room, the parties in turn."""
        while self._of_all < self._for_all:
            ready = islice(filter(self._has_room, self._waiting), 1)
            if not (party := list(ready)):
                return
            self._start_next_of(*party)

    def _start_next_of(self, party: object) -> None:
        """Start the first of a party's calls that still makes sense."""
        calls = self._waiting[party]
        self._waiting.move_to_end(party)
        while calls:
            if calls.popleft().start_receiving():
                self._count(party)
                break
        if not calls:
            del self._waiting[party]

    def _has_room(self, party: object) -> bool:
        return self._of_all < self._for_all and self._of_party.get(party, 0) < self._for_party

    def _count(self, party: object) -> None:
        self._of_all += 1
        self._of_party[party] = self._of_party.get(party, 0) + 1
