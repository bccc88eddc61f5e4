"""A replay is held to the digests in the log: it finds what differs, and where."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.domain.codec.digest import digest
from nc.domain.codec.records import Recorded
from nc.domain.events import DigestRecorded, Entry, Event
from nc.domain.evolve import evolve
from nc.domain.invariants import InconsistentHistory
from nc.domain.state import State
from nc.history.replay_check import check, recorded_digests
from tests.support.event_strategies import events as any_event

# A digest every so many events is what a replica would record, so the histories have no other.
plain_events = any_event.filter(lambda event: not event.HasField("digest_recorded"))
histories = st.lists(st.lists(plain_events, min_size=1, max_size=4), max_size=6)


def with_digests(parts: list[list[Event]], start: State | None = None) -> list[Recorded]:
    """A history whose parts each end with a digest of what the events up to there led to."""
    state, found = start or State(), []
    for part in parts:
        state = evolve(state, part)
        said = DigestRecorded(seq=state.seq, digest=digest(state).hex())
        recorded = Event(digest_recorded=said)
        state = evolve(state, [recorded])
        found += [*part, recorded]
    first = 1 if start is None else start.seq + 1
    return [Recorded(seq, Entry(), event) for seq, event in enumerate(found, first)]


@given(histories)
def test_what_was_recorded_agrees(parts: list[list[Event]]) -> None:
    """Any history, folded by the code that recorded its digests: all of them agree."""
    history = with_digests(parts)
    digests = recorded_digests(history)
    found = check(history, digests)
    assert found.fault is None
    assert (found.last_seq, found.digests) == (len(history), len(parts))
    assert found.agreed_seq == (digests[-1].seq if digests else 0)


@given(histories.filter(bool), st.data())
def test_the_first_digest_that_differs_is_found(
    parts: list[list[Event]], data: st.DataObject
) -> None:
    """The event that is folded differently lies between the last digest that agrees and it."""
    history = with_digests(parts)
    digests = recorded_digests(history)
    forged = data.draw(st.integers(0, len(history) - 1))
    # as if another version had folded this event: an event of no other effect than this one
    other = Event(token_issued={"token_id": "only here", "expires_at_ms": 1})
    changed = [*history]
    changed[forged] = history[forged]._replace(event=other)
    found = check(changed, digests)
    later = [each for each in digests if each.seq > forged]
    if not later:
        assert found.fault is None
        return
    assert found.fault is not None
    assert found.fault.last_seq == later[0].seq
    assert found.fault.first_seq <= forged + 1 <= found.fault.last_seq
    assert found.digests == len(digests) - len(later)
    assert found.fault.recorded == later[0].digest != found.fault.computed


@given(histories, histories)
def test_a_slice_is_held_to_its_own_digests(
    past: list[list[Event]], rest: list[list[Event]]
) -> None:
    """A history that begins with a state is checked from there on."""
    before = with_digests(past)
    start = evolve(State(), [each.event for each in before])
    after = with_digests(rest, start)
    found = check(after, recorded_digests([*before, *after]), start)
    assert found.fault is None
    assert (found.last_seq, found.digests) == (len(before) + len(after), len(rest))


@pytest.mark.parametrize("of", [[2], [5], [1, 1], [0]])
def test_a_digest_out_of_place_is_no_digest(of: list[int]) -> None:
    """One of an event to come, or not after the last one's, cannot have happened."""
    other = Event(unregistered={"node_id": "n"})
    said = [Event(digest_recorded=DigestRecorded(seq=seq)) for seq in of]
    history = [Recorded(seq, Entry(), event) for seq, event in enumerate([other, *said], 1)]
    with pytest.raises(InconsistentHistory, match="a digest of event"):
        recorded_digests(history)
