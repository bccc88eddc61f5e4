"""The sessions of one server's process: none of them is taken for another server's."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.domain.events import Event, ReplicaRemoved, ReplicaStarted
from nc.replica.errors import Removed, Replaced
from nc.server.standing import OwnSessions

_SESSIONS = ("s1", "s2", "s3", "s4")


def started(session: str, name: str = "r") -> Event:
    return Event(replica_started=ReplicaStarted(replica_id=name, session=session))


def of_a_process(asked: Sequence[str]) -> OwnSessions:
    own = OwnSessions("r")
    own.began("first")
    for session in asked:
        own.ask(session)
    return own


@given(st.permutations(_SESSIONS), st.lists(st.sampled_from(_SESSIONS)))
def test_no_start_of_its_own_ends_a_server(asked: list[str], there: list[str]) -> None:
    """Of starts whose outcome was open, any may be in the log: late, again, and in any order."""
    own = of_a_process(asked)
    assert [own.see(started(session)) for session in there] == [None] * len(there)
    assert {session for session in asked if own.has_begun(session)} == {*there}


@pytest.mark.parametrize("asked", [(), ("second",)])
def test_the_start_of_a_copy_ends_a_server(asked: Sequence[str]) -> None:
    """Another process under its name has a session that it never asked for."""
    own = of_a_process(asked)
    assert isinstance(own.see(started("of a copy")), Replaced)
    assert own.see(started("of a copy", "another")) is None


def test_what_was_before_the_first_session_ends_no_server() -> None:
    """The log has the starts of earlier processes, and may have read on while this one begins."""
    assert OwnSessions("r").see(started("of an earlier process")) is None


def test_a_removal_ends_a_server_at_any_time() -> None:
    """Also one that has not begun."""
    removed = Event(replica_removed=ReplicaRemoved(replica_id="r"))
    assert isinstance(OwnSessions("r").see(removed), Removed)
    assert isinstance(of_a_process(()).see(removed), Removed)
    assert OwnSessions("another").see(removed) is None
