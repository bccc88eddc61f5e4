"""A draft is a dictionary that leaves the map under it alone."""

from hypothesis import given
from hypothesis import strategies as st
from rpds import HashTrieMap

from nc.domain.transient_map import TransientMap

keys = st.integers(0, 5)
changes = st.lists(st.tuples(keys, st.none() | st.integers()), max_size=30)


@given(st.dictionaries(keys, st.integers()), changes)
def test_a_draft_is_a_dictionary(base: dict[int, int], made: list[tuple[int, int | None]]) -> None:
    """Whatever is written and removed in whatever order, it says what a dictionary says.

    None stands for removing; a key that is not there can be removed, too.
    """
    below = HashTrieMap(base)
    draft = TransientMap(below)
    expected = dict(base)
    for key, value in made:
        if value is None:
            draft.discard(key)
            expected.pop(key, None)
        else:
            draft[key] = value
            expected[key] = value
        assert [draft.get(k) for k in range(6)] == [expected.get(k) for k in range(6)]
    assert dict(draft.finish()) == expected
    assert dict(below) == base
