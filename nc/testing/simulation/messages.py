"""What the simulated servers keep of a log: messages, each of which continues the chain."""

from typing import NamedTuple

from eventlog.format import NO_CHAIN, RecordHeader, RecordType, chain_record

__all__ = ["Message", "chain_of"]


class Message(NamedTuple):
    """One record or marker.

    Attributes:
        writer: whose append it was; with `number` it is told from all others.
        count: of events; 0: a marker.
        chain: the hash of the message before it, and of this one.
    """

    writer: str
    number: int
    payload: bytes
    count: int  # type: ignore[assignment]  # as of `eventlog.api.Record`
    chain: bytes

    def continues(self, before: "Message | None") -> bool:
        """Whether it is what was appended behind that message."""
        return self.chain == chain_of(before, self.payload, self.count)


def chain_of(before: Message | None, payload: bytes, count: int) -> bytes:
    kind = RecordType.EVENTS if count else RecordType.MARKER
    header = RecordHeader(1, count, kind, 0, 0)
    return chain_record(NO_CHAIN if before is None else before.chain, header, payload)
