"""For how long a replica is out of touch."""

from hypothesis import given
from hypothesis import strategies as st

from nc.replica.leases import NS
from nc.replica.touch import CHANGE_WAIT_S, CURRENT_WAIT_S, Touch

LOOKS = st.lists(st.tuples(st.integers(0, 30), st.booleans()))  # seconds before it, in touch?


@given(LOOKS, st.integers(0, 3600))
def test_the_time_counts_from_the_look_that_found_touch_lost(
    looks: list[tuple[int, bool]], asleep_s: int
) -> None:
    """While it is in touch nothing is counted: not even what passes while the machine sleeps."""
    now_s, out_since_s = 0, 0
    is_out = True
    touch = Touch(lambda: now_s * NS)
    for wait_s, is_in_touch in looks:
        now_s += wait_s
        touch.look(is_in_touch=is_in_touch)
        if not is_in_touch and not is_out:
            out_since_s = now_s
        is_out = not is_in_touch
    now_s += asleep_s
    expected_s = now_s - out_since_s if is_out else 0
    assert touch.out_s == expected_s
    for at_most_s in (CURRENT_WAIT_S, CHANGE_WAIT_S):
        assert touch.left_s(at_most_s) == at_most_s - expected_s
