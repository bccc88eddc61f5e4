"""Random bytes and numbers that follow from a seed."""

from collections.abc import Sequence
from hashlib import sha256
from typing import TypeVar

T = TypeVar("T")


class SeededRandom:
    """Numbers and bytes from SHA-256 over a seed and a counter; also a server's `Secrets`."""

    def __init__(self, seed: object) -> None:
        self._seed = repr(seed).encode()
        self._drawn = 0

    def randbytes(self, n: int) -> bytes:
        data = b""
        while len(data) < n:
            self._drawn += 1
            data += sha256(b"%d:%b" % (self._drawn, self._seed)).digest()
        return data[:n]

    def random(self) -> float:
        """A number from 0 up to, and without, 1."""
        return int.from_bytes(self.randbytes(6), "big") / 2**48

    def pick(self, options: Sequence[T], /) -> T:
        return options[int(self.random() * len(options))]

    def random_bytes(self, count: int) -> bytes:
        """As `Secrets` calls it."""
        return self.randbytes(count)
