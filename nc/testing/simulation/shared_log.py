"""A log that others keep, as a stream of NATS does: it lags, is busy, and may lose its end.

It is a list of messages; each append names how many its writer knows. `log_view` has what a server
knows of it.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from enum import Enum
from typing import Final, NamedTuple

from eventlog.api import Record
from eventlog.format import NO_CHAIN, RecordHeader, RecordType, chain_record
from nc.testing.seeded_random import SeededRandom
from nc.testing.simulation.lines import LATENCY_S, THE_LOG, way

_EPOCH: Final = 1  # of all writers: nothing here looks at it


class Message(NamedTuple):
    """One append.

    Attributes:
        writer: whose append it was; with `number` it is told from all others.
        record: without events, it is a marker.
    """

    writer: str
    number: int
    record: Record


def next_record(after: int, chain: bytes, payload: bytes, count: int, at_ns: int) -> Record:
    """The record behind event `after`, where the chain's hash is `chain`."""
    kind = RecordType.EVENTS if count else RecordType.MARKER
    header = RecordHeader(after + 1, count, kind, at_ns, _EPOCH)
    chain = chain_record(chain, header, payload)
    return Record(after + 1, count, at_ns, _EPOCH, chain, payload)


_LAGS_S: Final = 1.0


class Trouble(Enum):
    """What is not as it should be."""

    BUSY = "the log is busy"  # nothing can be appended
    LOSES_ANSWERS = "the log loses answers"  # appends are done, or not
    LATE_LOG = "what the log has comes late"
    LATE_LINES = "what servers say comes late"


class SharedLog:
    """The servers that keep the log.

    Attributes:
        messages: those that are there.
        troubles: what is not as it should be, each as often as it was begun.
        is_rewound: it has lost messages.
        forked_after: by server, how many messages its store has as they are; not the later ones.
        changed: set, and replaced, with each append, and when messages are lost.
    """

    def __init__(self, chance: SeededRandom, is_cut_off: Callable[[str], bool]) -> None:
        self.messages: list[Message] = []
        self.is_rewound = False
        self.troubles: Counter[Trouble] = Counter()
        self._is_cut_off = is_cut_off
        self.forked_after: dict[str, int] = {}
        self.chance = chance
        self.changed = asyncio.Event()

    def reaches(self, name: str) -> bool:
        """Whether the server with this address does."""
        return not self._is_cut_off(way(name, THE_LOG))

    @property
    def is_broken(self) -> bool:
        """Whether some servers may not go on, for good."""
        return self.is_rewound or bool(self.forked_after)

    @property
    def lags_s(self) -> float:
        """How long a message takes to a reader at most."""
        return _LAGS_S if self.troubles[Trouble.LATE_LOG] else LATENCY_S

    def take(self, message: Message, after: int) -> None:
        """Append, if there are so many messages; else refuse it."""
        if len(self.messages) == after:
            self.messages.append(message)
            self._wake()

    def _wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    def read(self, name: str, after: int, through: int) -> list[Message]:
        """These messages, as the store has them that a server reads from."""
        found = self.messages[after:through]
        forked_after = self.forked_after.get(name, through)
        for index in range(max(after, forked_after), after + len(found)):
            found[index - after] = self._other(index)
        return found

    def _other(self, index: int) -> Message:
        """A message with the bytes of an older one."""
        record = self.messages[index].record
        older = (message.record for message in reversed(self.messages[:index]))
        others = (each.payload for each in older if each.count == record.count)
        payload = next((other for other in others if other != record.payload), record.payload)
        return self.messages[index]._replace(record=record._replace(payload=payload))

    @property
    def is_chained(self) -> bool:
        """Whether each message follows on the one before.

        After some were lost and others came, one that counts on as many as there are is taken.
        """
        seq, chain = 0, NO_CHAIN
        for record in (message.record for message in self.messages):
            same = next_record(seq, chain, record.payload, record.count, record.recorded_at_ns)
            if same != record:
                return False
            seq, chain = record.last_seq, record.chain
        return True

    @property
    def end(self) -> tuple[int, bytes]:
        """The last event's sequence number, and the last message's chain hash."""
        if not self.messages:
            return 0, NO_CHAIN
        last = self.messages[-1].record
        return last.last_seq, last.chain

    @property
    def records(self) -> list[Record]:
        """Those with events."""
        return [message.record for message in self.messages if message.record.count]

    def rewind(self, count: int, *, appended: bool) -> None:
        """Lose the last messages, as when old copies are put back; `appended`: others follow."""
        self.is_rewound = True
        del self.messages[max(0, len(self.messages) - count) :]
        for number in range(count + 1 if appended else 0):
            self.messages.append(
                Message("another server", number, next_record(*self.end, b"", 0, 0))
            )
        self._wake()
