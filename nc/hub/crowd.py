"""Who waits for something, or holds a place: by party, each party's oldest first.

Places are shared by parties, so that a party of many never keeps one of few out: where one has to
go, it is the oldest of the party that has most, and parties are served in turn. A party that is
alone may have all of them: a cluster behind one address is one party.

Pure.
"""

from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

Member = TypeVar("Member", bound=Hashable)


class Crowd(Generic[Member]):
    """Members by party; `len` counts them."""

    def __init__(self) -> None:
        self._parties: dict[str, dict[Member, None]] = {}  # in the order of their turns
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Member]:
        return (one for members in list(self._parties.values()) for one in list(members))

    def add(self, party: str, one: Member) -> None:
        self._parties.setdefault(party, {})[one] = None
        self._count += 1

    def discard(self, party: str, one: Member) -> None:
        members = self._parties.get(party, {})
        if one in members:
            del members[one]
            self._count -= 1
            if not members:
                del self._parties[party]

    def oldest_of_largest(self) -> Member:
        """The oldest of the party that has most."""
        largest = max(self._parties.values(), key=len)
        return next(iter(largest))

    def pop_next(self) -> Member:
        """Take out the oldest of the party whose turn it is."""
        party, members = next(iter(self._parties.items()))
        one = next(iter(members))
        self.discard(party, one)
        if self._parties.pop(party, None):
            self._parties[party] = members  # its next turn comes after all others
        return one
