"""Which request id of a caller is used, and what of it is recorded."""

import string
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.rpc.request_ids import RequestId, request_id, sent_ids

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
NEW = "new"

tokens = st.text("0123456789abcdef", min_size=16, max_size=16)
texts = st.text(string.hexdigits + "-GHJKMNPQRSTVWXYZghjkmnpqrstvwxyz", max_size=20)
lengths = st.sampled_from([0, 4, 10, 16])
around = st.one_of(
    texts,
    lengths.flatmap(lambda n: st.text(string.hexdigits, min_size=n, max_size=n)),
    st.text(CROCKFORD, min_size=10, max_size=10),
)


def chosen(sent: str, *live_tokens: str) -> RequestId:
    return request_id([sent], lambda: NEW, lambda text: text in live_tokens)


@given(token=tokens, before=around, after=around, is_upper=st.booleans())
def test_no_live_token_is_recorded_wherever_it_begins(
    token: str, before: str, after: str, is_upper: bool
) -> None:
    """A live token in an id, at any offset and in any case, is not in what is recorded."""
    sent = before + (token.upper() if is_upper else token) + after
    assert token not in chosen(sent, token).recorded.lower()


@given(token=tokens, offset=st.integers(0, 16), rest=st.text("0123456789abcdef", min_size=16))
def test_a_form_with_room_for_a_token_is_recorded_only_without_one(
    token: str, offset: int, rest: str
) -> None:
    """A new id is recorded in the place of a trace id, one of ours or a ULID that holds a token."""
    trace_id = rest[:offset] + token + rest[offset:16]
    ulid = "0123456789GHJKMNPQRSTVWXYZ"
    at = 1 + offset % 10  # a ULID begins with 0 to 7
    for sent in (
        trace_id,
        trace_id.upper(),
        f"00-{trace_id}-{token}-01",
        (rest[: offset % 5] + token + rest)[:20],
        ulid[:at] + token + ulid[at + 16 :],
    ):
        assert chosen(sent, token) == (sent, NEW)


@given(sent=st.one_of(texts, st.from_regex(r"[0-9a-f]{20}|[0-9a-f]{32}", fullmatch=True)))
def test_what_is_returned_does_not_depend_on_live_tokens(sent: str) -> None:
    """No answer says whether an id holds a live token, nor does the number of look-ups."""
    asked: list[list[str]] = [[], []]

    def every(text: str) -> bool:
        asked[0].append(text)
        return True

    def none(text: str) -> bool:
        asked[1].append(text)
        return False

    with_tokens = request_id([sent], lambda: NEW, every)
    assert with_tokens.returned == request_id([sent], lambda: NEW, none).returned
    assert asked[0] == asked[1]


@given(number=st.uuids())
def test_the_calls_of_a_trace_have_one_id(number: uuid.UUID) -> None:
    """The trace id is recorded as it is, also of a traceparent."""
    assert chosen(number.hex) == (number.hex, number.hex)
    parent = f"00-{number.hex}-00f067aa0ba902b7-01"
    assert chosen(parent) == (parent, number.hex)


@pytest.mark.parametrize("sent", ["f81d4fae-7dec-11d0-A765-00a0c91e6bf6", "0c57e80d1d0000000001"])
def test_an_innocent_id_is_used_as_it_is(sent: str) -> None:
    """It is returned and recorded."""
    assert chosen(sent) == (sent, sent)


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.mark.parametrize("parent", [PARENT, f"cc-{TRACE}-00f067aa0ba902b7-01-what-comes-later"])
def test_a_traced_call_is_known_by_its_trace(parent: str) -> None:
    """Without an `x-request-id`, the trace id of `traceparent` counts, of later versions too."""
    sent = sent_ids([("user-agent", "x"), ("traceparent", parent)])
    assert request_id(sent, lambda: NEW, lambda _: False) == (TRACE, TRACE)
    assert sent_ids([("traceparent", parent), ("x-request-id", "a")]) == ["a"]


@pytest.mark.parametrize(
    "parent",
    [
        "",
        TRACE,
        PARENT.upper(),
        f"{PARENT}-more",
        f"ff-{TRACE}-00f067aa0ba902b7-01",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-00f067aa0ba902b7-01\n",
    ],
)
def test_a_wrong_traceparent_is_ignored(parent: str) -> None:
    """As W3C Trace Context wants it: what breaks the form is as if it were not there."""
    assert sent_ids([("traceparent", parent)]) == []


@given(token=tokens, offset=st.integers(0, 16), rest=tokens)
def test_a_trace_that_holds_a_live_token_is_not_recorded(
    token: str, offset: int, rest: str
) -> None:
    """The caller is returned its trace id all the same."""
    trace = rest[:offset] + token + rest[offset:]
    sent = sent_ids([("traceparent", f"00-{trace}-00f067aa0ba902b7-01")])
    found = request_id(sent, lambda: NEW, lambda text: text == token)
    assert found == ((trace, NEW) if sent else (NEW, NEW))
