"""A mutable view over a persistent map, so that many events are folded at the price of one.

Changes gather in a dictionary beside the map and go into it together; the map itself is never
touched, so whoever else holds it sees nothing.
"""

from typing import Generic, TypeVar

from rpds import HashTrieMap

K = TypeVar("K")
V = TypeVar("V")


class Draft(Generic[K, V]):
    """A persistent map, and the changes that are on their way into it."""

    __slots__ = ("_base", "_removed", "_written")

    def __init__(self, base: "HashTrieMap[K, V]") -> None:
        self._base = base
        self._written: dict[K, V] = {}
        self._removed: set[K] = set()  # disjoint from _written

    def get(self, key: K) -> V | None:
        """The value as the changes leave it, or None."""
        if key in self._written:
            return self._written[key]
        return None if key in self._removed else self._base.get(key)

    def __setitem__(self, key: K, value: V) -> None:
        self._removed.discard(key)
        self._written[key] = value

    def discard(self, key: K) -> None:
        """Remove the key if it is there."""
        self._written.pop(key, None)
        self._removed.add(key)

    def finish(self) -> "HashTrieMap[K, V]":
        """The map with every change made."""
        result = self._base
        for key in self._removed:
            result = result.discard(key)
        if self._written:
            result = result.update(self._written)
        return result
