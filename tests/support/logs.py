"""Logs of every kind behind one interface, for the laws that all of them obey."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

import eventlog
from eventlog import AsyncLog, MemoryLog, jetstream
from eventlog.jetstream import JetStreamLog
from eventlog.offloop import OffLoopLog
from eventlog.testing import NoSyncDisk
from tests.support.nats_servers import NatsServer, address_of

T = TypeVar("T")

SEGMENT_BYTES = 1500  # a few records
KINDS = ("memory", "file", "stream")


class LogHome(Protocol):
    """Where one log is: it can be opened again and again."""

    shares: bool  # whether it may be open twice at a time

    async def open(self) -> AsyncLog:
        """Open it; the clock of its writer is `now_ns`."""


async def in_place(function: Callable[[], T]) -> T:
    return function()


class MemoryHome:
    shares = True

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._log: MemoryLog | None = None
        self._now_ns = now_ns

    async def open(self) -> AsyncLog:
        self._log = MemoryLog(self._now_ns) if self._log is None else self._log.peer()
        return OffLoopLog(self._log, in_place)


class FileHome:
    shares = False

    def __init__(self, folder: Path, now_ns: Callable[[], int]) -> None:
        self._folder = folder
        self._now_ns = now_ns

    async def open(self) -> AsyncLog:
        log = eventlog.open(
            self._folder,
            now_ns=self._now_ns,
            disk=NoSyncDisk(),
            segment_size_bytes=SEGMENT_BYTES,
        )
        return OffLoopLog(log, in_place)


class StreamHome:
    """A stream of its own; each time it is opened, the copy of the time before goes on."""

    shares = True
    _numbers = itertools.count(1)

    def __init__(self, folder: Path, now_ns: Callable[[], int], server: NatsServer) -> None:
        self.address = address_of(server, stream=f"L{next(self._numbers)}")
        self._folder = folder
        self._now_ns = now_ns
        self._open: list[jetstream.JetStreamLog] = []
        self._is_made = False

    async def open(self) -> jetstream.JetStreamLog:
        if not self._is_made:
            await jetstream.make(self.address, replicas=1)
            self._is_made = True
        self._open = [log for log in self._open if not log.is_closed]
        log = await jetstream.open(
            self.address,
            self._folder.with_name(f"{self._folder.name}-{len(self._open)}"),
            now_ns=self._now_ns,
            disk=NoSyncDisk(),
            segment_size_bytes=SEGMENT_BYTES,
        )
        self._open.append(log)
        return log


def home_of(kind: str, folder: Path, server: NatsServer, now_ns: Callable[[], int]) -> LogHome:
    """A new, empty log of a kind."""
    match kind:
        case "memory":
            return MemoryHome(now_ns)
        case "file":
            return FileHome(folder, now_ns)
        case _:
            return StreamHome(folder, now_ns, server)


def payloads(log: JetStreamLog) -> list[bytes]:
    return [record.payload for record in log.read()]
