"""The tail: reads a stream forward into its copy, each message verified, and follows its end.

What the servers republish wakes it, and often is all that it needs; what is missing is fetched.
Nothing is believed that does not continue the chain.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice
from typing import Final

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from eventlog.copies import FolderCopy
from eventlog.errors import LogLacking, LogRewound, LogUnavailable, LogUnreachable
from eventlog.format import NO_CHAIN, chain_in
from eventlog.jetstream.address import StreamAddress
from eventlog.jetstream.causes import not_permitted
from eventlog.jetstream.connection import FAILURES, Connection, unanswered
from eventlog.jetstream.messages import Codec, End, LeftOut, fetch, tail_subject_of

_LOOK_S: Final = 1.0  # after so long without a message, ask for one
_AGAIN_S: Final = 0.05
_REMEMBERED: Final = 1024  # chain hashes of the last messages; and messages that came too early
_LEADER_S: Final = 5.0
_PATIENCE_S: Final = 15.0  # a server that was cut off is out of date for less than that


class Tail:
    """Reads one stream.

    Args:
        client: connected.
        address: of the stream.
        codec: decodes its messages.
        copy: gets its records.

    Attributes:
        end: of what was read and verified.
        epoch: of the last record.
        is_marked: whether that is a marker.
        kept: the place of a message whose chain hash is not forgotten, however many follow it.
    """

    def __init__(
        self, client: Connection, address: StreamAddress, codec: Codec, copy: FolderCopy
    ) -> None:
        self._client = client
        self._address = address
        self._stream = address.stream
        self._name = str(address)
        self._codec = codec
        self._copy = copy
        self.end = End(0, copy.last_seq, copy.head)
        self.epoch = copy.epoch - 1
        self.is_marked = copy.is_marked
        self.kept = 0
        self._chains: dict[int, bytes] = {0: NO_CHAIN}
        self._early: dict[int, bytes] = {}
        self._woken = asyncio.Event()
        self._advancing = asyncio.Lock()
        self._subscription: Subscription | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_stopping = False

    async def start(self, fail: Callable[[Exception], None]) -> None:
        """Find the copy's end in the stream, read on, and follow; `fail` gets what ends that."""
        subject = tail_subject_of(self._stream)
        self._subscription = await self._client.subscribe(subject, cb=self._note)
        await self._locate()
        await self.catch_up()
        if self._client.denied:  # what the answers since then would follow
            raise LogUnavailable(self._name, not_permitted(self._stream, self._client.denied))
        self._task = asyncio.create_task(self._run(fail), name="eventlog-tail")

    async def catch_up(self) -> None:
        """Read on until a server has nothing more.

        Raises:
            LogDamaged: no server gives the next message, although there are later ones.
            LogUnreachable: no server answers.
        """
        loop = asyncio.get_running_loop()
        begun_s, is_more = loop.time(), True
        while is_more:
            try:
                is_more = await self._fetch()
            except FAILURES as error:
                is_early = loop.time() - begun_s <= _PATIENCE_S
                if is_early and not self._client.denied:  # another may answer, or have it
                    await asyncio.sleep(_AGAIN_S)
                elif isinstance(error, LeftOut):
                    raise self._codec.damaged(self.end, "none at any server") from error
                else:
                    raise unanswered(
                        self._client, self._address, "no server answers", error
                    ) from error
            else:
                begun_s = loop.time()

    async def stop(self) -> None:
        self._is_stopping = True  # the client's own waits may lose a cancellation
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._subscription is not None:
            with suppress(*FAILURES):
                await self._subscription.unsubscribe()

    def chain_at(self, seq: int) -> bytes | None:
        """The chain hash of a message that was read lately, or is kept."""
        return self._chains.get(seq)

    async def reach(self, seq: int) -> None:
        """Read on until message `seq` has been passed, however long that takes."""
        while self.end.stream_seq < seq:
            with suppress(*FAILURES):
                await self._fetch()
            if self.end.stream_seq < seq:
                await asyncio.sleep(_AGAIN_S)

    async def pass_own(self, seq: int, data: bytes) -> None:
        """Pass a message that was acknowledged at this place.

        Raises:
            LogRewound: another one was read there.
        """
        async with self._advancing:
            if self.end.stream_seq == seq - 1:
                self._pass([(seq, data)])
            elif self._chains.get(seq) != chain_in(data):
                raise self._rewound(f"message {seq} was acknowledged, and another one is there")

    async def _note(self, message: Msg) -> None:
        """A message that the servers republished."""
        headers = message.headers or {}
        seq, data = int(headers.get("Nats-Sequence", 0)), message.data
        known = self._chains.get(seq)
        if known is not None and known != chain_in(data):
            data = b""  # looked at by the task, which can say so
        elif seq <= self.end.stream_seq:
            return
        if len(self._early) >= _REMEMBERED:
            self._early.clear()  # they are fetched
        self._early[seq] = data
        self._woken.set()

    async def _run(self, fail: Callable[[Exception], None]) -> None:
        try:
            while not self._is_stopping:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_S):
                        await self._woken.wait()
                is_woken = self._woken.is_set()
                self._woken.clear()
                await self._pass_early()
                if self._early or not is_woken:
                    with suppress(*FAILURES):
                        await self._fetch()
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing more is followed
            fail(error)

    async def _pass_early(self) -> None:
        async with self._advancing:
            next_ones = []
            seq = self.end.stream_seq
            for early, data in self._early.items():
                if early <= seq and not data:
                    raise self._rewound(f"message {early} is there a second time, and differs")
            while data := self._early.pop(seq + 1, b""):
                seq += 1
                next_ones.append((seq, data))
            self._pass(next_ones)
            self._early = {s: data for s, data in self._early.items() if s > seq}

    async def _fetch(self) -> bool:
        """Pass the next messages that a server has; False if there are none yet."""
        async with self._advancing:
            found = await fetch(self._client, self._stream, self.end.stream_seq + 1)
            self._pass(found)
        return bool(found)

    def _pass(self, messages: Sequence[tuple[int, bytes]]) -> None:
        """Verify the messages that come next, and add them to the copy."""
        records, end = [], self.end
        for _, data in messages:
            record, end = self._codec.decode(end, data)
            records.append(record)
            self._chains[end.stream_seq] = end.chain
        if not records:
            return
        try:
            self._copy.add(records)
        except LogLacking as error:  # they are in the stream: this is no refusal
            raise LogUnavailable(self._name, f"its copy cannot be written: {error}") from error
        self.end = end
        self.epoch, self.is_marked = records[-1].epoch, not records[-1].count
        for seq in list(islice(self._chains, max(0, len(self._chains) - _REMEMBERED))):
            if seq != self.kept:
                del self._chains[seq]

    async def _locate(self) -> None:
        """Find the message that the copy ends with.

        Raises:
            LogRewound: the stream has another past, or ends before.
            LogUnreachable: no server answers, or they have no majority.
        """
        if self.end.chain == NO_CHAIN:
            return
        loop = asyncio.get_running_loop()
        begun_s, behind_s = loop.time(), 0.0  # when one first answered that it lacks the event
        problem: LogUnavailable
        while True:
            try:
                found = await self._search()
            except FAILURES as error:
                since_s = begun_s
                problem = unanswered(self._client, self._address, "no server answers", error)
                if self._client.denied:
                    raise problem from error
            else:
                if found is not None:
                    self.end = self.end._replace(stream_seq=found)
                    self._chains = {found: self.end.chain}
                    return
                lacks = f"it does not have event {self.end.last_seq} as its copy has it"
                problem = self._rewound(lacks)
                since_s = behind_s = behind_s or loop.time()
            if loop.time() - since_s > _PATIENCE_S:  # a read may be out of date for so long
                if isinstance(problem, LogRewound) and not await self._has_leader():
                    reason = f"the servers of NATS have no majority: {problem.reason}"
                    raise LogUnreachable(self._name, reason)
                raise problem
            await asyncio.sleep(_AGAIN_S)

    async def _has_leader(self) -> bool:
        """Whether its servers have a majority; without one, each may lack what was acknowledged."""
        try:
            info = await self._client.jetstream(timeout=_LEADER_S).stream_info(self._stream)
        except FAILURES:
            return False
        return info.cluster is None or bool(info.cluster.leader)

    async def _search(self) -> int | None:
        """The place of the message with the copy's last chain hash; None: it was not found."""
        wanted = self.end.last_seq
        low, high = 1, 1
        while (first := await self._first_seq(high)) is not None and first <= wanted:
            low, high = high, high * 2
        while low < high:  # the first message that begins behind the event, or is not there
            middle = (low + high) // 2
            first = await self._first_seq(middle)
            if first is not None and first <= wanted:
                low = middle + 1
            else:
                high = middle
        place = max(low - 1, 1)  # its record holds the event; markers may follow
        for seq, data in await fetch(self._client, self._stream, place):
            if chain_in(data) == self.end.chain:
                return seq
        return None

    async def _first_seq(self, seq: int) -> int | None:
        """The first sequence number of a message's record; None: there is none."""
        found = await fetch(self._client, self._stream, seq, batch=1)
        return self._codec.position(found[0][1])[0] if found else None

    def _rewound(self, reason: str) -> LogRewound:
        return LogRewound(self._name, reason)
