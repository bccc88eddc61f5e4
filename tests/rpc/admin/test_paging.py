"""Pages and selectors: laws over any list and any labels."""

import asyncio
import base64
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.rpc.admin.errors import InvalidField
from nc.rpc.admin.paging import Key, page_of, place_of
from nc.rpc.admin.selectors import selector

LISTED = 7
keys = st.tuples(st.integers(0, 5), st.text(max_size=2))
labels = st.dictionaries(st.sampled_from("abc"), st.sampled_from(["", "x", "y"]))


async def pages(items: list[Key], size: int, *, descending: bool, odd_only: bool) -> list[Key]:
    """The keys of all pages, one behind the other."""
    found: list[Key] = []
    token = ""
    while True:
        page = await page_of(
            items,
            lambda key: key if key[0] % 2 or not odd_only else None,
            after=place_of(token, LISTED, int),
            size=size,
            descending=descending,
            listed=LISTED,
        )
        assert len(page.keys) <= size
        found += page.keys
        token = page.next_token
        if not token:
            assert page.total == len(found)
            return found


@given(
    items=st.lists(keys, unique=True),
    size=st.integers(1, 5),
    descending=st.booleans(),
    odd_only=st.booleans(),
)
def test_the_pages_together_are_the_list(
    items: list[Key], size: int, *, descending: bool, odd_only: bool
) -> None:
    """Sorted, nothing twice, nothing left out, whatever the order of the items."""
    expected = sorted((k for k in items if k[0] % 2 or not odd_only), reverse=descending)
    found = asyncio.run(pages(items, size, descending=descending, odd_only=odd_only))
    assert found == expected


@pytest.mark.parametrize("text", ["5", "null", "{}", "[7, 1]", "[" * 100_000])
def test_json_that_is_no_place_is_refused(text: str) -> None:
    """As any other token that no page answered: it is the caller's mistake."""
    token = base64.urlsafe_b64encode(text.encode()).decode()
    with pytest.raises(InvalidField, match="page_token"):
        place_of(token, LISTED, int)


@given(text=st.text())
def test_no_text_is_a_place_by_chance(text: str) -> None:
    """A page token that no page answered is refused, and nothing else happens."""
    if text:
        with pytest.raises(InvalidField, match="page_token"):
            place_of(text, LISTED, str)


@given(labels=labels, key=st.sampled_from("abc"), value=st.sampled_from(["", "x", "y"]))
def test_selectors_are_those_of_kubernetes(labels: Mapping[str, str], key: str, value: str) -> None:
    """Equal, not equal (also without the label), there, not there; several must all fit."""

    def fits(text: str) -> bool:
        return all(requirement(labels) for requirement in selector(text))

    assert fits(f"{key}={value}") == fits(f" {key} == {value} ") == (labels.get(key) == value)
    assert fits(f"{key}!={value}") == (labels.get(key) != value)
    assert fits(key) == (key in labels)
    assert fits(f"!{key}") == (key not in labels)
    assert fits(f"{key},{key}={value}") == (labels.get(key) == value)
    assert fits("")


@pytest.mark.parametrize("text", ["=x", "a=b=c", "a in (b)", ",", "a,,b", "!", "a=?", "-a", "a b"])
def test_another_selector_is_refused(text: str) -> None:
    """With what it could have been."""
    with pytest.raises(InvalidField, match="key=value"):
        selector(text)
