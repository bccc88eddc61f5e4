"""How often a party may do something, whatever it and the others do."""

from hypothesis import given
from hypothesis import strategies as st

from nc.rpc.rates import Rates

SECOND_NS = 1_000_000_000


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_ns = SECOND_NS

    def monotonic_ns(self) -> int:
        return self.now_ns


STEPS = st.lists(st.one_of(st.sampled_from("ab"), st.floats(0, 3)), max_size=60)


@given(st.sampled_from([0.5, 1, 2, 10]), st.integers(1, 5), STEPS)
def test_a_bucket_is_spent_and_fills_again(
    per_s: float, at_once: int, steps: list[str | float]
) -> None:
    """What is left is what a plain bucket would have: one spent each, `per_s` back each second."""
    clock = Hand()
    rates = Rates(per_s, at_once, clock.monotonic_ns)
    buckets = {"a": float(at_once), "b": float(at_once)}
    for step in steps:
        if isinstance(step, float):
            clock.now_ns += int(step * SECOND_NS)
            passed_s = int(step * SECOND_NS) / SECOND_NS
            buckets = {key: min(at_once, has + passed_s * per_s) for key, has in buckets.items()}
        elif rates.left(step) > 0:
            rates.spend(step)
            buckets[step] -= 1
        for party, has in buckets.items():
            assert abs(rates.left(party) - has) < 1 + 1e-6
            assert 0 <= rates.left(party) <= at_once


def test_waiting_as_long_as_told_is_enough() -> None:
    """After `wait_s` one more is left, and just before it none is."""
    clock = Hand()
    rates = Rates(2, 3, clock.monotonic_ns)
    for _ in range(5):
        rates.spend("x")
    assert rates.left("x") == 0
    assert rates.left("other") == 3
    wait_ns = int(rates.wait_s("x") * SECOND_NS)
    clock.now_ns += wait_ns - 1
    assert rates.left("x") == 0
    clock.now_ns += 1
    assert rates.left("x") == 1


def test_parties_without_end_take_bounded_memory() -> None:
    """The longest quiet ones are forgotten, which gives them all back."""
    clock = Hand()
    rates = Rates(1, 2, clock.monotonic_ns)
    for party in range(70_000):
        rates.spend(party)
    assert len(rates) == 65_536
    assert rates.left(0) == 2
    assert rates.left(69_999) == 1
