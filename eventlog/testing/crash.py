"""Decides which changes that were not synced a simulated crash keeps.

A file has what is on the platter, and the changes since; so have the names in a folder. At a crash
each sector of each write, each change of a size and each name is kept or lost by itself.
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

SECTOR_BYTES: Final = 16  # small, so that small records are torn in many ways


class Chance(Protocol):
    """What this needs of `random.Random`."""

    def random(self) -> float: ...

    def randbytes(self, n: int) -> bytes: ...


class CrashOutcome:
    """Decides what a crash keeps of the changes that were not synced.

    Args:
        keep: the probability that a change is kept; 0 loses all of them, 1 none.
        chance: decides in between; without it, files that have grown have zeros there.
    """

    def __init__(self, keep: float, chance: Chance | None = None) -> None:
        self._keep = keep
        self._chance = chance

    def keeps(self) -> bool:
        """Whether the next change is kept."""
        return self._keep > (0.5 if self._chance is None else self._chance.random())

    def filling(self, size_bytes: int) -> bytes:
        """The bytes where a file has grown and nothing has been written: zeros, or any."""
        if self._chance is None or self._chance.random() < 1 / 2:
            return bytes(size_bytes)
        return self._chance.randbytes(size_bytes)


class Write(NamedTuple):
    offset: int
    data: bytes


class Resize(NamedTuple):
    size_bytes: int
    allocates: bool  # what is new reads as zeros, also after a crash


FileChange = Write | Resize


@dataclass
class File:
    """A file's bytes as reads give them, its durable bytes, and the changes between the two."""

    data: bytearray = field(default_factory=bytearray)
    durable: bytes = b""
    unsynced: list[FileChange] = field(default_factory=list)

    def sync(self) -> None:
        durable = bytearray(self.durable)
        for change in self.unsynced:
            change_data(durable, change)
        self.durable = bytes(durable)
        self.unsynced = []

    def after_crash(self, outcome: CrashOutcome) -> "File":
        data = bytearray(self.durable)
        for change in self.unsynced:
            if isinstance(change, Resize):
                if outcome.keeps():
                    _resize(data, change.size_bytes, None if change.allocates else outcome)
                continue
            for at in range(0, len(change.data), SECTOR_BYTES):
                if outcome.keeps():
                    sector = change.data[at : at + SECTOR_BYTES]
                    start = change.offset + at
                    _resize(data, max(len(data), start), outcome)
                    data[start : start + len(sector)] = sector
        return File(data, bytes(data))


def _resize(data: bytearray, size_bytes: int, outcome: CrashOutcome | None = None) -> None:
    grown = size_bytes - len(data)
    if grown > 0:
        data += outcome.filling(grown) if outcome is not None else bytes(grown)
    else:
        del data[size_bytes:]


def change_data(data: bytearray, change: FileChange) -> None:
    if isinstance(change, Resize):
        _resize(data, change.size_bytes)
    else:
        _resize(data, max(len(data), change.offset))
        data[change.offset : change.offset + len(change.data)] = change.data


class HardLink(NamedTuple):
    """A name for a file, or for a new folder."""

    path: str
    file: File | None  # None: a folder


class Unlink(NamedTuple):
    path: str


class Rename(NamedTuple):
    old: str
    new: str
    file: File | None


NameChange = HardLink | Unlink | Rename

Names = dict[str, File | None]  # by path, as text since that is fast; None: a folder


def apply(names: Names, change: NameChange) -> None:
    if isinstance(change, Unlink):
        names.pop(change.path, None)
    elif isinstance(change, HardLink):
        names[change.path] = change.file
    else:
        names.pop(change.old, None)
        names[change.new] = change.file
