"""The newest records of a log, in memory: what its followers read, unless one is far behind.

However many followers a log has, a record that was just appended is neither read from the disk nor
verified again for each of them.
"""

import threading
from bisect import bisect_right
from collections import deque
from itertools import islice
from operator import attrgetter
from typing import Final

from eventlog.api import Record

_LIMIT_BYTES: Final = 1024 * 1024  # a second of appends under load, or four thousand small records
_OVERHEAD_BYTES: Final = 256  # what a record takes beside its payload


class RecentRecords:
    """Records that follow one on the other, up to the last one that was added.

    One thread adds, any may read.
    """

    __slots__ = ("_lock", "_records", "_size_bytes")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: deque[Record] = deque()
        self._size_bytes = 0  # of all in _records; ≤ _LIMIT_BYTES

    def add(self, record: Record) -> None:
        """Add a log's next durable record, and drop the oldest ones that there is no room for."""
        with self._lock:
            records = self._records
            records.append(record)
            self._size_bytes += len(record.payload) + _OVERHEAD_BYTES
            while self._size_bytes > _LIMIT_BYTES:
                self._size_bytes -= len(records.popleft().payload) + _OVERHEAD_BYTES

    def after(self, seq: int, limit: int) -> list[Record] | None:
        """The first `limit` records with events above `seq`; None: the next one is not here."""
        with self._lock:
            records = self._records
            if not records or records[0].first_seq > seq + 1:
                return None
            start = bisect_right(records, seq, key=attrgetter("last_seq"))
            return list(islice(records, start, start + limit))
