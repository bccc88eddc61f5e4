"""What was done to files and was not synced, and what a crash leaves of it.

A file is what is on the platter, and the changes since; so are the names in a folder. At a crash
each sector of each write, each change of a size and each name is kept or dropped by itself.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, Protocol

__all__ = [
    "Chance",
    "CrashOutcome",
    "File",
    "FileChange",
    "HardLink",
    "NameChange",
    "Names",
    "Rename",
    "Resize",
    "Unlink",
    "Write",
    "apply",
    "change_data",
]

SECTOR_BYTES: Final = 16  # small, so that small records are torn in many ways


class Chance(Protocol):
    """What `random.Random` is; it comes from the caller, as all chance does."""

    def random(self) -> float:
        """A number from 0 up to, and without, 1."""

    def randbytes(self, n: int) -> bytes:
        """So many bytes."""


class CrashOutcome:
    """What becomes of the things that were not synced.

    Args:
        keep: how likely each is to be kept; 0 loses all of them, 1 none.
        chance: decides in between; without it, files that have grown are found with zeros.
    """

    def __init__(self, keep: float, chance: Chance | None = None) -> None:
        self._keep = keep
        self._chance = chance

    def keeps(self) -> bool:
        """Whether the next thing is kept."""
        return self._keep > (0.5 if self._chance is None else self._chance.random())

    def filling(self, size_bytes: int) -> bytes:
        """What is found where a file has grown and nothing has been written: zeros, or anything."""
        if self._chance is None or self._chance.random() < 1 / 2:
            return bytes(size_bytes)
        return self._chance.randbytes(size_bytes)


class Write(NamedTuple):
    """Bytes are written into a file."""

    offset: int
    data: bytes


class Resize(NamedTuple):
    """A file gets another size."""

    size_bytes: int
    allocates: bool  # room that reads as zeros, whatever happens


FileChange = Write | Resize


@dataclass
class File:
    """A file: what reads give, what is on the platter, and what has been done since."""

    data: bytearray = field(default_factory=bytearray)
    durable: bytes = b""
    unsynced: list[FileChange] = field(default_factory=list)

    def sync(self) -> None:
        """All that was done is on the platter."""
        durable = bytearray(self.durable)
        for change in self.unsynced:
            change_data(durable, change)
        self.durable = bytes(durable)
        self.unsynced = []

    def after_crash(self, fate: CrashOutcome) -> "File":
        """The file as it is found when the power is back."""
        data = bytearray(self.durable)
        for change in self.unsynced:
            if isinstance(change, Resize):
                if fate.keeps():
                    _resize(data, change.size_bytes, None if change.allocates else fate)
                continue
            for at in range(0, len(change.data), SECTOR_BYTES):
                if fate.keeps():
                    sector = change.data[at : at + SECTOR_BYTES]
                    start = change.offset + at
                    _resize(data, max(len(data), start), fate)
                    data[start : start + len(sector)] = sector
        return File(data, bytes(data))


def _resize(data: bytearray, size_bytes: int, fate: CrashOutcome | None = None) -> None:
    grown = size_bytes - len(data)
    if grown > 0:
        data += fate.filling(grown) if fate is not None else bytes(grown)
    else:
        del data[size_bytes:]


def change_data(data: bytearray, change: FileChange) -> None:
    """Do it."""
    if isinstance(change, Resize):
        _resize(data, change.size_bytes)
    else:
        _resize(data, max(len(data), change.offset))
        data[change.offset : change.offset + len(change.data)] = change.data


class HardLink(NamedTuple):
    """Something new has a name."""

    path: Path
    file: File | None  # None: a folder


class Unlink(NamedTuple):
    """A name is gone."""

    path: Path


class Rename(NamedTuple):
    """A file has another name."""

    old: Path
    new: Path
    file: File | None


NameChange = HardLink | Unlink | Rename

Names = dict[Path, File | None]


def apply(names: Names, change: NameChange) -> None:
    """Do it."""
    if isinstance(change, Unlink):
        names.pop(change.path, None)
    elif isinstance(change, HardLink):
        names[change.path] = change.file
    else:
        names.pop(change.old, None)
        names[change.new] = change.file
