"""What the page shows of several servers on one log."""

import pytest

from nc.domain.events import (
    Entry,
    Event,
    ReplicaLost,
    ReplicaRemoved,
    ReplicaStarted,
    ReplicaStopped,
)
from nc.history.events import Recorded
from nc.history.running import Running
from tests.support.histories import NOW_MS
from tests.support.shown_page import Shown, recorded_at_ms


def event_of(name: str, session: str, what: str) -> Event:
    match what:
        case "starts":
            at = "10.1.1.1/24"
            started = ReplicaStarted(replica_id=name, session=session, network_address=at)
            return Event(replica_started=started)
        case "stops":
            return Event(replica_stopped=ReplicaStopped(replica_id=name, session=session))
        case "is lost":
            return Event(replica_lost=ReplicaLost(session=session))
    return Event(replica_removed=ReplicaRemoved(replica_id=name))


# What happens to servers a and b; whether each is a start after a crash, and whether one runs then.
CLUSTERS = {
    "a starts, b starts, b stops": ([False, False], True),
    "a starts, b starts, b stops, a stops": ([False, False], False),
    "a starts, b starts, b is lost, b starts": ([False, False, True], True),
    "a starts, b starts, a starts, a stops, b is lost": ([False, False, True], False),
    "a starts, b starts, b stops, a starts, b starts": ([False, False, True, False], True),
    "a starts, b starts, b is removed, a stops": ([False, False], False),
}


@pytest.mark.parametrize("story", CLUSTERS)
def test_each_of_several_servers_starts_and_ends_by_itself(shown: Shown, story: str) -> None:
    """A start of one follows on no stop of another; the history goes on while one of them runs."""
    events, sessions = [], {"a": "", "b": ""}
    for number, clause in enumerate(story.split(", ")):
        name, _, what = clause.partition(" ")
        if what == "starts":
            sessions[name] = f"s{number}"
        events.append(event_of(name, sessions[name], what))
    entry = Entry(recorded_at_ns=NOW_MS * 1_000_000)
    history = [Recorded(seq, entry, event) for seq, event in enumerate(events, 1)]
    crashed, runs = CLUSTERS[story]
    until = NOW_MS + 3_600_000
    with shown(history, until_ms=until) as tab:
        assert tab.run("restarts.map(({crashed}) => crashed)") == crashed
        assert tab.run("timeAt(count)") == (
            until if runs else recorded_at_ms(history, len(history))
        )
    running = Running()
    told = [(event.HasField("replica_started"), running.follow(event)) for event in events]
    assert [has_crashed for is_start, has_crashed in told if is_start] == crashed
    assert bool(running) is runs
