"""How often one may do something, and which log lines are left out."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from nc.hub.pace import Pace, Sampler

KEYS = st.sampled_from("ab")
STEPS = st.lists(st.tuples(st.integers(0, 30), KEYS), max_size=60)  # tenths of a second pass


class Time:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@given(STEPS, st.integers(1, 5), st.sampled_from([0.5, 1.0, 2.0]))
def test_never_more_than_the_burst_and_the_rate(
    steps: list[tuple[int, str]], at_once: int, interval_s: float
) -> None:
    """Between any two moments: the burst, and once an interval; whatever the others do."""
    time = Time()
    pace = Pace(at_once, interval_s, time)
    done: dict[str, list[float]] = {"a": [], "b": []}
    for tenths, key in steps:
        time.now_s += tenths / 10
        if not pace.wait_s(key):
            done[key].append(time.now_s)
    for moments in done.values():
        for first, begin in enumerate(moments):
            for last in range(first, len(moments)):
                most = at_once + (moments[last] - begin) / interval_s
                assert last - first + 1 <= most + 1e-6


@given(STEPS, st.integers(1, 5))
def test_who_waits_as_long_as_told_may_do_it(steps: list[tuple[int, str]], at_once: int) -> None:
    time = Time()
    pace = Pace(at_once, 1.0, time)
    for tenths, key in steps:
        time.now_s += tenths / 10
        if wait_s := pace.wait_s(key):
            assert wait_s <= 1.0
            time.now_s += wait_s + 1e-6
            assert pace.wait_s(key) == 0


def test_those_that_are_forgotten_had_nothing_to_be_remembered_for() -> None:
    """However many there are, a busy one stays slowed down, and memory is bounded by the busy."""
    time = Time()
    pace = Pace(2, 1.0, time)
    for number in range(20_000):
        time.now_s += 0.01
        pace.wait_s(str(number))
        if number % 10 == 0:
            pace.wait_s("busy")
    assert pace.wait_s("busy") > 0
    assert len(pace) < 3000


@given(st.lists(st.integers(0, 30), max_size=60))
def test_every_line_is_written_or_counted(steps: list[int]) -> None:
    """What lines say of those left out, and what is not said yet, is all that was left out."""
    time = Time()
    sampler = Sampler(2, 1.0, time)
    lines = []
    for tenths in steps:
        time.now_s += tenths / 10
        lines.append(sampler.fields("a"))
    pending = 0
    for fields in lines:
        if fields is None:
            pending += 1
        else:
            assert fields == ({"left_out": pending} if pending else {})
            pending = 0
    assert lines[:2] == [{}, {}][: len(lines)]
    assert all(a is not None or b is None or "left_out" in b for a, b in pairwise(lines))


def test_whoever_never_came_again_hides_nobody() -> None:
    """What was left out lately is told, however many others had lines left out before."""
    time = Time()
    sampler = Sampler(1, 1.0, time)
    for number in range(2000):
        assert (sampler.fields(f"{number}"), sampler.fields(f"{number}")) == ({}, None)
    time.now_s += 10
    assert sampler.fields("1999") == {"left_out": 1}
    assert len(sampler._left_out) < 2000
