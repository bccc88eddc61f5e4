"""Watchers of a server that restarts in the middle, of whom one reads nothing for a while.

After whatever ended its watch, each watcher goes on from where the last message or the status said,
and checks that no event is missing. Used by `admin.py --stalled` and by a test.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc

from benchmarks.servers import ours_running
from nc.pb.admin.v1 import events_pb2, tokens_pb2
from nc.rpc.admin.watching import PATIENCE_S

_ADMIN: Final = "/nc.admin.v1."
_TOGETHER: Final = 64  # calls under way at once
_ON_ONE_CONNECTION: Final = 50
_OPTIONS: Final = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 200),
)
# The client takes no more than this before somebody reads.
_STALLING: Final = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65_536))
# Events that fill what it takes several times over.
_STUCK: Final = 2000
_LONGEST_S: Final = 300.0  # only turns a hang into a failure


@dataclass
class Watcher:
    """Reads from one event on; see the module.

    Attributes:
        next_seq: what comes next; all before has come, once or more often.
        missing: events that did not come.
        ends: the statuses that its watches ended with, with their sentences.
    """

    channel: Any
    next_seq: int
    missing: int = 0
    ends: list[tuple[str, str]] = field(default_factory=list)

    def watch(self) -> Any:
        from_seq = _told_seq(self.ends[-1]) if self.ends else 0
        request = events_pb2.WatchEventsRequest(from_seq=from_seq or self.next_seq)
        return self.channel.unary_stream(f"{_ADMIN}Events/Watch")(request.SerializeToString())

    async def read(self, stream: Any, last_seq: Callable[[], int]) -> None:
        """Read until the event is there that is the last one by then, or the watch ends."""
        async for data in stream:
            self.take(events_pb2.WatchEventsResponse.FromString(data))
            if self.next_seq > last_seq():
                return

    def take(self, message: events_pb2.WatchEventsResponse) -> None:
        for event in message.events:
            if event.seq >= self.next_seq:
                self.missing += event.seq - self.next_seq
                self.next_seq = event.seq + 1
        self.missing += max(0, message.next_seq - self.next_seq)
        self.next_seq = max(self.next_seq, message.next_seq)

    async def run(self, last_seq: Callable[[], int], stream: Any = None) -> None:
        """Watch again and again until the last event is there."""
        while self.next_seq <= last_seq():
            try:
                await self.read(stream or self.watch(), last_seq)
            except grpc.aio.AioRpcError as error:
                self.ends.append((error.code().name, error.details() or ""))
                await asyncio.sleep(0.05)
            stream = None

    @property
    def cut_off_at(self) -> int:
        """Where the status of a watch that was too slow said to go on; 0: none did."""
        return max(map(_told_seq, self.ends), default=0)


def _told_seq(end: tuple[str, str]) -> int:
    """Where a status says to go on; 0: nowhere."""
    code, sentence = end
    found = re.search(r"from_seq=(\d+)", sentence)
    return int(found[1]) if code == "RESOURCE_EXHAUSTED" and found else 0


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        events: appended, and seen by all.
        a_second: events while the server ran.
        memory_mb: of the server before anybody watched, and at most while all did.
        missing: events that a watcher did not get.
        resumed: watchers that went on after the restart.
        cut_off_at: where the stalled watcher was told to go on; 0: it was not.
        behind_s: from the last event to when the last watcher had it.
    """

    events: int
    a_second: float
    memory_mb: tuple[float, float]
    missing: int
    resumed: int
    cut_off_at: int
    behind_s: float


class Scene:
    """The server, whoever appends, and the watchers."""

    def __init__(self, folder: Path, watchers: int, rate: int) -> None:
        self._folder, self._count, self._rate = folder, watchers, rate
        self._data = folder / "data"
        self._port = self._pid = 0
        self._appended = 0
        self._up_s = 0.0
        self._peak_mb = 0.0
        self._last_seq = 1 << 62  # none yet

    @contextlib.contextmanager
    def _serving(self, name: str) -> Any:
        with ours_running(self._data, self._folder / name, self._port) as server:
            self._port, self._pid = server.port, server.process.pid
            started = time.perf_counter()
            yield
            self._up_s += time.perf_counter() - started

    @contextlib.asynccontextmanager
    async def _channel(self, *options: tuple[str, int]) -> AsyncIterator[Any]:
        pki = self._data / "pki" / "grpc"
        names = ("ca.pem", "client-key.pem", "client.pem")
        credentials = grpc.ssl_channel_credentials(*((pki / each).read_bytes() for each in names))
        target = f"127.0.0.1:{self._port}"
        async with grpc.aio.secure_channel(target, credentials, [*_OPTIONS, *options]) as channel:
            yield channel

    async def run(self, events: int) -> Outcome:
        """Have so many events appended before and after the restart, and the watchers see all."""
        async with contextlib.AsyncExitStack() as stack, asyncio.timeout(_LONGEST_S):
            with self._serving("first.log"):
                before_mb = self._memory_mb()
                connections = [
                    await stack.enter_async_context(self._channel())
                    for _ in range(-(-self._count // _ON_ONE_CONNECTION))
                ]
                writing = await stack.enter_async_context(self._channel())
                first = await self._read_last_seq(writing) + 1
                channels = [connections[n % len(connections)] for n in range(self._count - 1)]
                watchers = [Watcher(channel, first) for channel in channels]
                reading = [asyncio.create_task(each.run(self._last)) for each in watchers]
                stalled = Watcher(await stack.enter_async_context(self._channel(*_STALLING)), first)
                stream = aiter(stalled.watch())
                stalled.take(events_pb2.WatchEventsResponse.FromString(await anext(stream)))
                await self._append(writing, lambda: self._appended >= max(events, _STUCK))
                over_at = time.perf_counter() + PATIENCE_S + 1
                await self._append(writing, lambda: time.perf_counter() >= over_at)
                reading.append(asyncio.create_task(stalled.run(self._last, stream)))
                await self._append(writing, lambda: bool(stalled.ends))
            with self._serving("second.log"):
                until = self._appended + events
                await self._append(writing, lambda: self._appended >= until)
                self._last_seq, ended = await self._read_last_seq(writing), time.perf_counter()
                await self._append(writing, lambda: True)  # it wakes all watches
                await asyncio.gather(*reading)
                behind_s = time.perf_counter() - ended
        return Outcome(
            self._last_seq + 1 - first,
            self._appended / self._up_s,
            (before_mb, self._peak_mb),
            sum(each.missing for each in (*watchers, stalled)),
            sum("UNAVAILABLE" in dict(each.ends) for each in (*watchers, stalled)),
            stalled.cut_off_at,
            behind_s,
        )

    def _last(self) -> int:
        return self._last_seq

    async def _append(self, channel: Any, is_enough: Callable[[], bool]) -> None:
        """Append events, as many a second as are wanted or as the machine can; some at least."""
        issue = tokens_pb2.IssueTokenRequest(lifetime_s=3600).SerializeToString()
        call = channel.unary_unary(f"{_ADMIN}BootstrapTokens/Issue")
        while True:
            began = time.perf_counter()
            batch = max(1, min(_TOGETHER, self._rate // 20))
            waiting: list[Awaitable[bytes]] = [
                call(issue, wait_for_ready=True) for _ in range(batch)
            ]
            await asyncio.gather(*waiting)
            self._appended += batch
            self._peak_mb = max(self._peak_mb, self._memory_mb())
            if is_enough():
                return
            await asyncio.sleep(max(0.0, batch / self._rate - (time.perf_counter() - began)))

    async def _read_last_seq(self, channel: Any) -> int:
        request = events_pb2.ReadEventsRequest(page_size=1, newest_first=True)
        call = channel.unary_unary(f"{_ADMIN}Events/Read")
        data = await call(request.SerializeToString(), wait_for_ready=True)
        return int(events_pb2.ReadEventsResponse.FromString(data).last_seq)

    def _memory_mb(self) -> float:
        pages = Path(f"/proc/{self._pid}/statm").read_text().split()[1]
        return int(pages) * 4096 / 1e6
