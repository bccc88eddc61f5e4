"""Pages: the items of a list that follow a place in its order, and the token of the next place.

A place is the sort key of the last item that was sent, so that a page neither repeats nor leaves
out an item that was there all the time, whatever came or went between two pages.
"""

import base64
import json
from collections.abc import Callable, Iterable
from heapq import nlargest, nsmallest
from typing import Final, NamedTuple, TypeVar
from zlib import crc32

from google.protobuf.message import Message

from nc.rpc.admin.errors import InvalidField
from nc.rpc.admin.turns import in_slices

T = TypeVar("T")

# What items are ordered by, then their ids, which are unique.
Key = tuple[int | str, str]

DEFAULT_PAGE: Final = 100
MOST_IN_PAGE: Final = 1000


def page_size(asked: int, most: int = MOST_IN_PAGE) -> int:
    """How many items a page has.

    Raises:
        InvalidField: more than `most` are asked for.
    """
    if asked > most:
        raise InvalidField("page_size", f"{asked} is more than {most}, the most that a page has")
    return asked or DEFAULT_PAGE


def list_id(*parts: object) -> int:
    """A number for a list, by what it is a list of: its filter, its order."""
    texts = (
        part.SerializeToString(deterministic=True) if isinstance(part, Message) else str(part)
        for part in parts
    )
    return crc32(repr(list(texts)).encode())


def token_of(listed: int, key: Key) -> str:
    """The token of the page behind an item with this key."""
    return base64.urlsafe_b64encode(json.dumps([listed, *key]).encode()).decode()


def place_of(token: str, listed: int, kind: type[int] | type[str]) -> Key | None:
    """The key of the last item before a page; None for the first page.

    Args:
        token: from the page before; "" for the first page.
        listed: see `list_id`.
        kind: of what the list is ordered by.

    Raises:
        InvalidField: the token is not from a list like this.
    """
    if not token:
        return None
    try:
        found, first, last = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, TypeError, RecursionError):
        found, first, last = None, "", ""
    if found != listed or not isinstance(first, kind) or not isinstance(last, str):
        raise InvalidField(
            "page_token",
            "it is not from a page of this list; send what the page before answered, with the same "
            "filter and order",
        )
    return first, last


class Page(NamedTuple):
    """The keys of a page's items, in order.

    Attributes:
        total: of the items of all pages.
        next_token: "" if this is the last page.
    """

    keys: list[Key]
    total: int
    next_token: str


async def page_of(
    items: Iterable[T],
    key_of: Callable[[T], Key | None],
    *,
    after: Key | None,
    size: int,
    descending: bool,
    listed: int,
) -> Page:
    """The page behind a place, without sorting all of a long list.

    Args:
        items: of the list, in any order.
        key_of: an item's key; None leaves it out. Keys can be compared with one another.
        after: the place.
        size: of the page.
        descending: the greatest key comes first.
        listed: see `list_id`.
    """
    first_of = nlargest if descending else nsmallest
    best: list[Key] = []
    total = 0
    async for some in in_slices(items):
        keys = [key for each in some if (key := key_of(each)) is not None]
        total += len(keys)
        if after is not None:
            keys = [key for key in keys if (key < after if descending else key > after)]
        best = first_of(size + 1, best + keys)
    has_more = len(best) > size
    best = best[:size]
    return Page(best, total, token_of(listed, best[-1]) if has_more else "")
