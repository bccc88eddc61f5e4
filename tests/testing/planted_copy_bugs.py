"""Planted bugs about copies of a shared log, and about servers of several versions."""

import pytest

from eventlog.api import Record
from eventlog.copies import FolderCopy
from eventlog.writer import SegmentWriter
from nc.domain import levels
from nc.domain.levels import FIRST_LEVEL
from nc.testing.simulation.log_view import LogView
from tests.testing.cluster_planting import ClusterBug, into

BUGS: list[ClusterBug] = []
bug = into(BUGS)

_ANOTHER_LOG = "no server goes on with a log that lost events"


@bug(_ANOTHER_LOG, is_shared=True)
def a_rewind_goes_unnoticed(patch: pytest.MonkeyPatch) -> None:
    """A server does not compare what it has read with what the log has."""
    patch.setattr(LogView, "_check_own_past", lambda _: None)


@bug(_ANOTHER_LOG, "servers on one log agree", "replay equals live", is_shared=True)
def a_fork_goes_unnoticed(patch: pytest.MonkeyPatch) -> None:
    """Nor what it reads with the chain."""
    patch.setattr(FolderCopy, "_check_follows", lambda *_: None)


@bug("no event is written that a server does not know", is_shared=True)
def levels_are_ignored(patch: pytest.MonkeyPatch) -> None:
    """Events are written that an older server does not know."""
    patch.setattr(levels, "require_known", lambda *_: None)


@bug("only older servers hold back new kinds of events", is_shared=True)
def every_server_counts_as_old(patch: pytest.MonkeyPatch) -> None:
    """What a server has said of its version is forgotten."""
    patch.setattr(levels, "_level", lambda _: FIRST_LEVEL)


@bug("a start finds what was left", is_shared=True)
def a_copy_calls_durable_what_is_not(patch: pytest.MonkeyPatch) -> None:
    """What a power cut leaves of its end is taken for damage then."""
    copy = SegmentWriter.copy

    def hasty(self: SegmentWriter, record: Record) -> None:
        self._synced_seq = self.end.last_seq
        copy(self, record)

    patch.setattr(SegmentWriter, "copy", hasty)
