"""Waiting times between tries."""

from hypothesis import given
from hypothesis import strategies as st

from nc.backoff import FIRST_S, LONGEST_S, delay_s


class Dice:
    """Gives the bytes that the test wants."""

    def __init__(self, number: int) -> None:
        self._number = number

    def random_bytes(self, count: int) -> bytes:
        """The number, big-endian."""
        return self._number.to_bytes(count, "big")


numbers = st.integers(0, 2**32 - 1)
failures = st.integers(1, 10**9)


@given(failures, numbers)
def test_it_lies_between_half_the_step_and_all_of_it(count: int, number: int) -> None:
    """Never at once, never longer than the longest, whatever chance says."""
    step_s = min(LONGEST_S, FIRST_S * 2 ** min(count - 1, 60))
    assert step_s / 2 <= delay_s(count, Dice(number)) < step_s


@given(failures, numbers)
def test_it_grows(count: int, number: int) -> None:
    """With the same luck nobody waits less after one more failure."""
    assert delay_s(count, Dice(number)) <= delay_s(count + 1, Dice(number))


@given(failures, numbers, numbers)
def test_chance_spreads(count: int, one: int, other: int) -> None:
    """Two nodes with different luck do not come at the same moment, and more luck is sooner."""
    assert (delay_s(count, Dice(one)) < delay_s(count, Dice(other))) == (one < other)


def test_a_server_that_was_only_restarted_is_found_soon() -> None:
    """The first four tries, with the worst luck, fit into four seconds."""
    worst = Dice(2**32 - 1)
    assert sum(delay_s(count, worst) for count in range(1, 5)) < 4
