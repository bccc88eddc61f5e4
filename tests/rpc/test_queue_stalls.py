"""Calls whose messages do not come: too many of them end soon, and a slow server is no reason."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.rpc.queue import messages, own_time, server
from nc.rpc.queue.call import RESOURCE_EXHAUSTED, Refusal, ServerCall
from nc.rpc.queue.deadlines import Deadlines
from nc.rpc.queue.limits import Limits
from nc.rpc.queue.messages import Stalls
from nc.rpc.queue.own_time import OwnTime, cpu_waits_ns
from tests.fuzz.raw_http2 import headers
from tests.rpc.test_queue_bodies import by_metadata
from tests.support.queue_server import PATIENCE_S, UNARY, connected, serving, unary


@dataclass
class Call:
    number: int
    party: object


@given(
    st.integers(0, 3),
    st.lists(st.sampled_from("abc")),
    st.lists(st.sampled_from("abc"), max_size=5),
    st.floats(1, 3),
)
def test_what_a_party_has_waiting_is_bounded_by_its_messages(
    calls: int, waiting: list[str], came: list[str], passed_s: float
) -> None:
    """The oldest go that are more than `calls`, and than what its messages of ten seconds are."""
    stalls, begun_ns = Stalls(calls, body_s=10.0), 5_000_000_000
    assert not stalls.is_due(len(waiting), begun_ns)  # begins
    for party in came:
        stalls.came(party)
    now_ns = begun_ns + int(passed_s * 1e9)
    awaited = [Call(number, party) for number, party in enumerate(waiting)]
    gone = list(stalls.beyond(awaited, now_ns)) if stalls.is_due(len(waiting), now_ns) else []
    for party in "abc":
        mine = [call for call in awaited if call.party == party]
        may = max(calls, int(came.count(party) / ((now_ns - begun_ns) / 1e9) * 10.0))
        assert [call for call in gone if call.party == party] == mine[: max(0, len(mine) - may)]


async def test_calls_without_a_message_beyond_a_partys_share_end_soon() -> None:
    """Long before the deadline; those within it, and others' calls, go on."""
    limits = Limits(awaited=10, body_s=PATIENCE_S)
    async with serving(decide=by_metadata, limits=limits) as running, running.channel() as channel:
        peer = connected(running)
        with peer.socket:
            streams = range(1, 100, 2)
            peer.socket.sendall(b"".join(headers(stream, UNARY.encode()) for stream in streams))
            await running.until(lambda: running.port.calls_under_way == limits.awaited)
            statuses = Counter(call.status for call, _ in running.gate.ended_calls)
            assert statuses == {RESOURCE_EXHAUSTED: len(streams) - limits.awaited}
            assert await unary(channel, metadata=(("party", "mine"),)) == b"x"


def test_a_burst_is_not_judged_at_once() -> None:
    """However long none waited before it came."""
    few = Stalls(1, body_s=10.0)
    for now_s in (1, 2, 3, 100):
        assert not few.is_due(1, now_s * 1_000_000_000)
    assert not few.is_due(2, 100_000_000_001)
    assert few.is_due(2, 101_000_000_000)


BURST = 60


async def test_a_burst_at_a_slow_server_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """However late it takes the messages, and however few of them: they came in time."""
    monkeypatch.setattr(messages, "_COUNTED_NS", 90_000_000)
    monkeypatch.setattr(own_time, "_LOOK_NS", 50_000_000)
    monkeypatch.setattr(server, "_SWEEP_EVENTS", 4)

    def decide(_call: ServerCall) -> Refusal | None:
        time.sleep(0.01)  # as if it waited for a disk
        return None

    limits = Limits(awaited=5, body_s=0.1)
    async with serving(decide=decide, limits=limits) as running, running.channel() as channel:
        answers = await asyncio.gather(*(unary(channel) for _ in range(BURST)))
    assert answers == [b"x"] * BURST


class Bench:
    """An own time, of which a test says what it sees."""

    def __init__(self) -> None:
        self.now_ns = self.used_ns = 0
        self.waits = {"1": 0, "2": 0}
        self.own = OwnTime(lambda: self.now_ns, lambda: dict(self.waits), lambda: self.used_ns)
        self.own.begin()


SPANS = st.integers(0, 10**9)


@given(st.lists(st.tuples(SPANS, SPANS, SPANS, SPANS, SPANS), max_size=20))
def test_own_time_is_what_is_left_without_the_servers_delays(
    steps: list[tuple[int, int, int, int, int]],
) -> None:
    """The longest of them counts for each span, and it never goes back."""
    bench = Bench()
    expected = looked = 0
    waits, blocked_since = dict(bench.waits), 0
    for idle, used, blocked, *waited in steps:
        bench.now_ns += idle + used + blocked
        bench.own.idle_ns += idle
        bench.used_ns += used
        blocked_since += blocked
        for thread, more in zip(bench.waits, waited, strict=True):
            bench.waits[thread] += more
        if (passed := bench.now_ns - looked) >= own_time._LOOK_NS:
            longest = max(bench.waits[thread] - waits[thread] for thread in waits)
            lost = max(longest, blocked_since, passed - own_time._ROUND_NS)
            expected += max(0, passed - lost)
            looked, waits, blocked_since = bench.now_ns, dict(bench.waits), 0
        assert bench.own.look() == expected


LIMIT_NS = 10**9
STEPS = st.sampled_from(("start", "stop", "look", "sweep"))


@given(st.lists(st.tuples(STEPS, st.integers(0, 3), SPANS)))
def test_what_is_awaited_for_too_long_is_overdue_once(steps: list[tuple[str, int, int]]) -> None:
    """Never before its time, which begins with the next look; the oldest comes first."""
    deadlines = Deadlines[int](LIMIT_NS / 1e9)
    started_ns: dict[int, int] = {}
    due_ns: dict[int, float] = {}
    now_ns = looked_ns = 1
    assert not list(deadlines.overdue(looked_ns))
    for step, awaited, passed_ns in steps:
        now_ns += passed_ns
        match step:
            case "start" if awaited not in due_ns:
                deadlines.start(awaited)
                started_ns[awaited], due_ns[awaited] = now_ns, inf
            case "stop":
                deadlines.stop(awaited)
                due_ns.pop(awaited, None)
            case "look" if now_ns > looked_ns:
                looked_ns = now_ns
                due_ns = {each: min(due, now_ns + LIMIT_NS) for each, due in due_ns.items()}
        if step in {"look", "sweep"}:
            overdue = list(deadlines.overdue(looked_ns))
            assert overdue == [each for each, due in due_ns.items() if due <= looked_ns]
            assert all(now_ns - started_ns[each] >= LIMIT_NS for each in overdue)
            due_ns = {each: due for each, due in due_ns.items() if due > looked_ns}
        assert list(deadlines) == list(due_ns)


def test_the_kernel_says_how_long_threads_waited_for_a_cpu() -> None:
    """Of each thread of this process; it never becomes less."""
    before = cpu_waits_ns()
    after = cpu_waits_ns()
    assert before
    assert all(after[thread] >= waited for thread, waited in before.items() if thread in after)
