"""Questions about the past, asked of any history at all."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.cli.time_args import parse_point
from nc.domain.events import (
    Entry,
    Event,
    LeaderElected,
    LogRepaired,
    NodeRegistered,
    ReplicaLost,
    ReplicaStarted,
    StateChanged,
    pb,
)
from nc.domain.evolve import evolve
from nc.domain.state import State
from nc.history.diff import differences
from nc.history.events import Point, Recorded, field_of, ids_in, seq_of
from nc.history.explain import Target, explain
from nc.history.fields import field_texts
from nc.history.fold import state_at
from tests.support.event_strategies import events as any_event
from tests.support.event_strategies import ids

timed = st.lists(st.tuples(st.integers(0, 9), any_event), max_size=20)


def recorded(history: list[tuple[int, Event]]) -> list[Recorded]:
    """Events with their times, as a log would give them."""
    return [
        Recorded(seq, Entry(recorded_at_ns=at_ns), event)
        for seq, (at_ns, event) in enumerate(history, start=1)
    ]


@given(timed, st.integers(0, 20))
def test_the_state_at_a_place_is_the_fold_of_what_was_before(
    history: list[tuple[int, Event]], seq: int
) -> None:
    """state_at(n) is what the first n events lead to, one by one."""
    assert state_at(recorded(history), seq) == evolve(State(), [e for _, e in history[:seq]])


@given(timed, st.integers(-1, 10))
def test_a_moment_is_after_the_last_event_recorded_by_then(
    history: list[tuple[int, Event]], at_ns: int
) -> None:
    """No later event was recorded at or before the moment, also where a clock jumped."""
    seq = seq_of(recorded(history), Point(at_ns=at_ns))
    assert all(when > at_ns for when, _ in history[seq:])
    assert seq == 0 or history[seq - 1][0] <= at_ns


@given(timed, st.integers(0, 30))
def test_a_number_is_itself_or_the_end(history: list[tuple[int, Event]], seq: int) -> None:
    """A history that is shorter ends before the number."""
    assert seq_of(recorded(history), Point(seq=seq)) == min(seq, len(history))


@given(timed)
def test_nothing_differs_from_itself(history: list[tuple[int, Event]]) -> None:
    """Between a place and the same place nothing came, went or moved."""
    state = state_at(recorded(history), len(history))
    assert not any(differences(state, state, []))


@given(timed, st.integers(0, 20))
def test_a_difference_accounts_for_every_node(history: list[tuple[int, Event]], cut: int) -> None:
    """The nodes before, without those that went, with those that came, are the nodes after."""
    cut = min(cut, len(history))
    before, after = (state_at(recorded(history), seq) for seq in (cut, len(history)))
    found = differences(before, after, recorded(history)[cut:])
    assert set(before.nodes) - set(found.went) | set(found.came) == set(after.nodes)
    assert set(before.tokens) - set(found.tokens_went) | set(found.tokens_came) == set(after.tokens)
    assert set(found.passed_through).isdisjoint({*before.nodes, *after.nodes})
    for node_id in before.nodes.keys() & after.nodes.keys():
        was, has = before.nodes[node_id].profile, after.nodes[node_id].profile
        assert found.renamed.get(node_id, (has.name, has.name)) == (was.name, has.name)
        assert found.relabelled.get(node_id, (has.labels,) * 2) == (was.labels, has.labels)
        assert found.notes.get(node_id, (has.note,) * 2) == (was.note, has.note)
    old, new = (set(each.administrators.by_serial) for each in (before, after))
    assert old | set(found.administrators_came) == new


@given(timed, ids, st.sampled_from(["node", "address", "token"]))
def test_a_story_tells_any_history_without_a_fault(
    history: list[tuple[int, Event]], subject_id: str, kind: str
) -> None:
    """Every event is in words, however little sense the history makes."""
    assert all(line.text for line in explain(recorded(history), Target(kind, subject_id)))
    assert "" not in ids_in(recorded(history)).nodes


@given(timed, st.sampled_from(["a", "b"]))
def test_a_repair_is_told_to_those_who_lived_then(
    history: list[tuple[int, Event]], node_id: str
) -> None:
    """A repair is in a node's story if something of it was told before, and it has not ended."""
    lines = list(explain(recorded(history), Target("node", node_id)))
    told = {line.recorded.seq for line in lines}
    is_alive = False
    for seq, (_, event) in enumerate(history, start=1):
        if event.HasField("log_repaired"):
            assert (seq in told) == is_alive
        elif seq in told and field_of(event, "node_id") == node_id:
            is_alive = event.WhichOneof("kind") not in {"unregistered", "node_forgotten"}


@pytest.mark.parametrize(
    ("lost_through_seq", "words"),
    [
        (0, "no event is known to be lost"),
        (1, "no event is known to be lost"),
        (2, "event 2 was lost in a repair"),
        (9, "events 2 to 9 were lost in a repair"),
    ],
)
def test_a_repair_says_what_was_lost(lost_through_seq: int, words: str) -> None:
    """The numbers from its own on, up to the highest that is known."""
    history = [
        (0, Event(node_registered=NodeRegistered(node_id="a"))),
        (0, Event(log_repaired=LogRepaired(lost_through_seq=lost_through_seq))),
    ]
    *_, line = explain(recorded(history), Target("node", "a"))
    assert words in line.text


def test_moments_are_read_in_every_form() -> None:
    """A number, a time in UTC or another zone, so long ago, and the end of the log."""
    at_ns = int(datetime(2026, 11, 20, 15, tzinfo=UTC).timestamp()) * 1_000_000_000
    assert parse_point("17", 0) == Point(seq=17)
    for text in ("2026-11-20T15:00", "2026-11-20T16:00+01:00", "2026-11-20 15:00:00"):
        assert parse_point(text, 0) == Point(at_ns=at_ns)
    assert parse_point("-2h", 10_000) == Point(at_ns=2_800 * 1_000_000_000)
    assert parse_point("now", 10_000) == Point()
    for text in ("", "-2", "2h", "soon", "-h", str(2**64), "٣", "-٣h", "-999999999d"):
        with pytest.raises(ValueError, match="no moment"):
            parse_point(text, 0)


@given(is_alone=st.booleans(), session=st.sampled_from(["", "0c"]))
def test_of_several_servers_the_one_that_held_a_link_is_named(is_alone: bool, session: str) -> None:
    """Where a log has one server, or an older one wrote it, neither name nor session is shown."""
    start = ReplicaStarted(replica_id="a-1", session=session, is_alone=is_alone)
    changes = (
        (pb.CONNECTION_STATE_INIT, pb.STATE_CHANGE_REASON_LINK_ACCEPTED),
        (pb.CONNECTION_STATE_IDLE, pb.STATE_CHANGE_REASON_REPLICA_LOST),
        (pb.CONNECTION_STATE_IDLE, pb.STATE_CHANGE_REASON_REPLICA_STOPPED),
        (pb.CONNECTION_STATE_IDLE, pb.STATE_CHANGE_REASON_LINK_CLOSED),
    )
    events = [
        Event(replica_started=start),
        *(
            Event(
                state_changed=StateChanged(
                    node_id="aa", to_state=to_state, reason=reason, session=session
                )
            )
            for to_state, reason in changes
        ),
    ]
    lines = explain(recorded([(1, event) for event in events]), Target("node", "aa"))
    named = ["a-1" in line.text for line in lines]
    is_shared = bool(session) and not is_alone
    assert named == [is_shared] * 3 + [False]
    for event in (
        events[0],
        Event(replica_lost=ReplicaLost(session=session)),
        Event(leader_elected=LeaderElected(session=session)),
    ):
        is_shown = bool(session) and (event != events[0] or not is_alone)
        assert ("session" in field_texts(event)) == is_shown
    assert "session" not in field_texts(events[1])
