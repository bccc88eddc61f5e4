"""What of a caller's request id may be recorded."""

import re
import string
import uuid

from hypothesis import given
from hypothesis import strategies as st

from nc.rpc.request_ids import recorded_id
from nc.secrets import TokenIds

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

hashed = TokenIds(bytes(32)).id_of

tokens = st.text("0123456789abcdef", min_size=16, max_size=16)
texts = st.text(string.hexdigits + "-GHJKMNPQRSTVWXYZghjkmnpqrstvwxyz", max_size=20)
lengths = st.sampled_from([0, 4, 10, 16])
around = st.one_of(
    texts,
    lengths.flatmap(lambda n: st.text(string.hexdigits, min_size=n, max_size=n)),
    st.text(CROCKFORD, min_size=10, max_size=10),
)


@given(token=tokens, before=around, after=around, is_upper=st.booleans())
def test_no_token_is_recorded_wherever_it_begins(
    token: str, before: str, after: str, is_upper: bool
) -> None:
    """A token in an id, at any offset and in any case, is not in what is recorded."""
    recorded = recorded_id(before + (token.upper() if is_upper else token) + after, hashed)
    assert token not in (recorded or "").lower()


@given(token=tokens, offset=st.integers(0, 16), rest=st.text("0123456789abcdef", min_size=16))
def test_no_token_is_recorded_from_a_form_that_has_room_for_one(
    token: str, offset: int, rest: str
) -> None:
    """The same where the id is of a form that is used."""
    whole = rest[:offset] + token + rest[offset:16]
    parent = f"00-{whole}-{token}-01"
    for sent in (whole, parent, whole.upper(), (rest[: offset % 5] + token + rest)[:20]):
        recorded = recorded_id(sent, hashed)
        assert recorded is not None
        assert token not in recorded.lower()
    ulid = "0123456789GHJKMNPQRSTVWXYZ"
    offset %= 11
    assert recorded_id(ulid[:offset] + token + ulid[offset + 16 :], hashed) is None


@given(sent=st.one_of(texts, st.uuids().map(str), st.from_regex(r"[0-9a-f]{20}|[0-9a-f]{32}")))
def test_what_is_recorded_as_it_is_has_no_room_for_a_token(sent: str) -> None:
    """An id is recorded as it is only if it has no 16 hex digits in a row."""
    if recorded_id(sent, hashed) == sent:
        assert not re.search("[0-9a-fA-F]{16}", sent)


@given(number=st.uuids())
def test_the_calls_of_a_trace_have_one_id(number: uuid.UUID) -> None:
    """The trace id alone, and each of its parents, come to the same."""
    alone = recorded_id(number.hex, hashed)
    assert alone == recorded_id(f"00-{number.hex}-00f067aa0ba902b7-01", hashed)
    assert alone != recorded_id(uuid.UUID(int=number.int ^ 1).hex, hashed)
