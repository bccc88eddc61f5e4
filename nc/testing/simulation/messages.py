"""What the simulated servers keep of a log: messages, each of which continues the chain."""

from typing import Final, NamedTuple

from eventlog.api import Record
from eventlog.format import RecordHeader, RecordType, chain_record

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
