"""What is counted for the metrics, without a server."""

from collections import Counter
from dataclasses import replace
from itertools import chain, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.clock import SystemClock
from nc.clock_watch import ClockWatch
from nc.domain.decide import Command, decide
from nc.domain.evolve import evolve
from nc.domain.nodes import Expiry, SetExpiries, Unregister
from nc.domain.state import State
from nc.histogram import Histogram
from nc.metrics.census import SOON_MS, Counted
from nc.metrics.tally import FLAP_WINDOW_NS, FLAPPING_ENDS, Tally
from nc.rpc.call_counts import CallCounts
from tests.support.histories import NOW_MS, after, connect, disconnect, register, started
from tests.support.whole_server import MovableClock

NODES = ("a", "b", "c")
HOUR_MS = 60 * 60 * 1000

# Some commands that follow one another.
moves = st.sampled_from(NODES).flatmap(
    lambda node: st.sampled_from(
        [
            connect(node),
            connect(node)[:1],
            disconnect(node),
            [Unregister(node), *register(node)],
            [Unregister(node)],
            [SetExpiries((Expiry(node, 1),), NOW_MS)],
        ]
    )
)


class StillClock(SystemClock):
    """Stands until it is moved."""

    now = 0

    def monotonic_ns(self) -> int:
        return self.now


def carry_out(state: State, command: Command) -> tuple[State, list[Any]]:
    """The state after a command, and its events; a refused one changes nothing."""
    try:
        events = decide(state, command)
    except Exception:  # noqa: BLE001 - any refusal
        return state, []
    return evolve(state, events), events


@given(before=st.lists(moves, max_size=5), history=st.lists(moves, min_size=3, max_size=20))
def test_the_tally_is_the_states(before: list[list[Command]], history: list[list[Command]]) -> None:
    """Begun at any moment, it counts what the state has, and each event once."""
    state = after(started(), *register(*NODES))
    for command in chain.from_iterable(before):
        state, _ = carry_out(state, command)
    tally = Tally(state, StillClock())
    seen: Counter[str] = Counter()
    for command in chain.from_iterable(history):
        state, events = carry_out(state, command)
        tally.observe(events)
        seen.update(event.WhichOneof("kind") for event in events)
    states = Counter(link.state.name for link in state.links.values())
    assert (tally.connected(), tally.beginning()) == (states["CONNECTED"], states["INIT"])
    assert +Counter(tally.events) == seen


def test_a_node_flaps_within_two_windows() -> None:
    """As many ends as it takes, in a window and the one before; later it flaps no more."""
    clock = StillClock()
    state = after(started(), *register("a", "b"))
    tally = Tally(state, clock)
    for end in range(FLAPPING_ENDS):
        assert tally.flapping() == 0
        if end == FLAPPING_ENDS - 1:
            clock.now += FLAP_WINDOW_NS
        for command in (*connect("a"), *disconnect("a")):
            state, events = carry_out(state, command)
            tally.observe(events)
    assert tally.flapping() == 1
    clock.now += FLAP_WINDOW_NS
    assert tally.flapping() == 0  # the first four are forgotten
    clock.now += 5 * FLAP_WINDOW_NS
    assert tally.flapping() == 0


def test_a_census_tells_the_offline_from_the_expired() -> None:
    """An expired node is not offline; a linked one neither; since when counts."""
    state = after(started(), *register("a", "b", "c"), *connect("b"))
    state = after(state, SetExpiries((Expiry("c", NOW_MS + 1),), NOW_MS))
    linked = state.links["b"]._replace(since_ms=NOW_MS)
    state = replace(state, links=state.links.insert("b", linked))
    nodes = {node_id: node._replace(idle_since_ms=NOW_MS) for node_id, node in state.nodes.items()}
    counted = Counted(NOW_MS + HOUR_MS)
    counted.add(state, nodes.items())
    assert (counted.offline, counted.expired) == ({"5m": 1, "1h": 1, "1d": 0}, 1)


@pytest.mark.parametrize(
    ("ends_in_ms", "key", "count"),
    [(SOON_MS - 1, b"", 1), (SOON_MS, b"", 0), (-1, b"", 1), (1, b"key", 0)],
)
def test_certificates_that_cannot_be_renewed(ends_in_ms: int, key: bytes, count: int) -> None:
    """Those count that end soon, or have ended, of nodes whose key the machine did not make."""
    state = after(started(), *register("a"))
    node = state.nodes["a"]
    node = node._replace(
        certificates_end_ms=NOW_MS + ends_in_ms, profile=node.profile._replace(key=key)
    )
    counted = Counted(NOW_MS)
    counted.add(state, [("a", node)])
    assert counted.unrenewable == count


@given(durations=st.lists(st.integers(0, 10_000_000_000)), bounds=st.sets(st.integers(1, 9)))
def test_a_histogram_counts_each_duration_once(durations: list[int], bounds: set[int]) -> None:
    """A bucket has what is not longer than its bound, the last one all; so has the sum."""
    histogram = Histogram(tuple(float(bound) for bound in sorted(bounds)))
    for duration in durations:
        histogram.observe(duration)
    found = list(histogram.cumulative())
    assert found == [
        (bound, sum(duration <= bound * 1e9 for duration in durations))
        for bound in (*sorted(bounds), float("inf"))
    ]
    assert all(one <= other for (_, one), (_, other) in pairwise(found))
    assert (histogram.count, histogram.total_ns) == (len(durations), sum(durations))


def test_a_method_on_two_ports_is_counted_once() -> None:
    """Ports share the counts of a method; each method's are its own."""
    counts = CallCounts()
    one, other = (counts.of({b"/p.S/M": object(), b"/p.S/N": object()}) for _ in range(2))  # type: ignore[dict-item]  # the path alone counts
    assert one[b"/p.S/M"] is other[b"/p.S/M"]
    assert one[b"/p.S/M"] is not one[b"/p.S/N"]


@pytest.mark.parametrize(("stepped_ms", "steps"), [(0, 0), (400, 0), (600, 1), (-3_600_000, 1)])
def test_steps_of_the_clock_are_counted(stepped_ms: int, steps: int) -> None:
    """In either direction; what NTP slews is none."""
    clock = MovableClock()
    watch = ClockWatch(clock)
    clock.stepped_ms = stepped_ms
    watch.look()
    watch.look()
    assert watch.steps == steps
