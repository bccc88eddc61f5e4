"""Logs in memory and on disk agree, whatever is done to them."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from eventlog import (
    MemoryLog,
    SequenceConflict,
)
from tests.support.small_log import open_small


class LogsAgree(RuleBasedStateMachine):
    """Whatever is done to them, a log in memory, one on disk and a list hold the same records.

    Invariants: same records, same end, same head; a conflict changes nothing; reopening changes
    nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.home = tempfile.TemporaryDirectory()
        self.folder = Path(self.home.name, "log")
        self.now_ns = 0
        self.file = open_small(self.folder, now_ns=lambda: self.now_ns)
        self.memory = MemoryLog(lambda: self.now_ns)
        self.appended: list[tuple[int, int, bytes]] = []
        self.last_seq = 0
        self.written_since_open = False

    @rule(payload=st.binary(min_size=1, max_size=1500), count=st.integers(1, 5))
    def append(self, payload: bytes, count: int) -> None:
        """Both return the number of the last event."""
        self.now_ns += 1
        first_seq, self.last_seq = self.last_seq + 1, self.last_seq + count
        for log in (self.memory, self.file):
            assert log.append(payload, count, first_seq - 1) == self.last_seq
        self.appended.append((first_seq, count, payload))
        self.written_since_open = True

    @rule(error=st.integers(-3, 3).filter(bool))
    def append_late(self, error: int) -> None:
        """Both refuse an append after another event than the last one, with the same fields."""
        for log in (self.memory, self.file):
            with pytest.raises(SequenceConflict) as caught:
                log.append(b"late", 1, self.last_seq + error)
            assert caught.value.expected == self.last_seq + error
            assert caught.value.actual == self.last_seq

    @rule(after=st.integers(-1, 40))
    def read(self, after: int) -> None:
        """Both give the records that hold a later event."""
        expected = [r for r in self.appended if r[0] + r[1] - 1 > after]
        from_file = list(self.file.read(after))
        assert [(r.first_seq, r.count, r.payload) for r in from_file] == expected
        assert list(self.memory.read(after)) == from_file

    @rule()
    def write_sync_marker(self) -> None:
        """A marker is no event; a second one would say nothing new."""
        self.now_ns += 1
        for log in (self.memory, self.file):
            assert log.write_sync_marker().last_seq == self.last_seq
            head = log.head
            assert log.write_sync_marker().chain == head == log.head

    @precondition(lambda self: self.written_since_open)
    @rule()
    def reopen(self) -> None:
        """A writer's epoch is greater than all before; one that wrote nothing leaves no trace."""
        self.file.close()
        self.file = open_small(self.folder, now_ns=lambda: self.now_ns)
        self.memory.close()
        self.memory = self.memory.peer()
        assert self.file.recovery is None
        assert self.file.epoch == self.memory.epoch
        self.written_since_open = False

    @invariant()
    def same_end(self) -> None:
        """Both end with the last event appended, with the same chain."""
        assert self.file.last_seq == self.memory.last_seq == self.last_seq
        assert self.file.head == self.memory.head

    def teardown(self) -> None:
        self.file.close()
        self.home.cleanup()


TestLogsAgree = LogsAgree.TestCase
TestLogsAgree.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
