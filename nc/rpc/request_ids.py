"""Which request ids of callers are used: `x-request-id` of gRPC's metadata, or a trace's id.

Of a call without `x-request-id`, the trace id of its `traceparent` counts (W3C Trace Context, 3.2).

Events and log lines keep a call's request id for ever, and a careless caller may send a token in
it. So only ids of four narrow forms are used, and all others are replaced:

    UUID, with dashes
    ULID
    W3C trace id; of a traceparent, the trace id counts
    20 hex digits, as a server makes them

The last three have room for a token, which is 16 hex digits. If such an id holds a live token, a
new id is recorded in its place. The caller is returned its own id all the same: otherwise it could
find out whether a text is a live token. For the same reason each part of an id is looked up, also
after a token was found.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from nc.secrets import TOKEN_HEX_DIGITS

REQUEST_ID_KEY: Final = "x-request-id"
_TRACE_KEY: Final = "traceparent"

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_WITH_ROOM = re.compile(
    r"[0-7][0-9a-hjkmnp-tv-z]{25}"  # ULID: Crockford's base 32
    r"|[0-9a-f]{20}"
    r"|[0-9a-f]{32}",  # W3C Trace Context, 3.2.2.3
    re.IGNORECASE | re.ASCII,
)
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}", re.IGNORECASE | re.ASCII)
_TRACE = re.compile(  # the whole of version 00; ff is none; later versions may have more behind it
    r"(00|(?!ff)[0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?",
    re.ASCII,
)
_TOKEN_LIKE = re.compile(f"(?=([0-9a-f]{{{TOKEN_HEX_DIGITS}}}))", re.ASCII)  # at every offset


class RequestId(NamedTuple):
    """Of one call: what its caller is returned, and what is recorded."""

    returned: str
    recorded: str


def sent_ids(metadata: Iterable[tuple[str, str | bytes]]) -> list[str]:
    """What a call has of ids, in the order in which they count.

    Args:
        metadata: of the call; the keys are in lower case.
    """
    ids: list[str] = []
    traces: list[str] = []
    for key, value in metadata:
        if key == REQUEST_ID_KEY:
            ids.append(str(value))
        elif key == _TRACE_KEY:
            traces.append(str(value))
    if ids or not traces:
        return ids
    return [trace_id for each in traces if (trace_id := _trace_id(each))]


def request_id(
    sent: Iterable[str], new: Callable[[], str], is_live_token: Callable[[str], bool]
) -> RequestId:
    """Choose a call's request id.

    Args:
        sent: what the caller sent; the first that is of a form that is used counts.
        new: makes an id.
        is_live_token: whether 16 hex digits in lower case are a token that is known here.
    """
    for each in sent:
        traced = _TRACEPARENT.fullmatch(each)
        candidate = traced[1] if traced else each
        if _UUID.fullmatch(candidate):
            return RequestId(each, candidate)
        if _WITH_ROOM.fullmatch(candidate):
            parts = _TOKEN_LIKE.findall(candidate.lower())
            holds_token = any([is_live_token(part) for part in parts])  # noqa: C419 - every part
            return RequestId(each, new() if holds_token else candidate)
    made = new()
    return RequestId(made, made)


def _trace_id(traceparent: str) -> str:
    """The trace id of a `traceparent`; "" if it is to be ignored (Trace Context, 3.2.2 and 4.3)."""
    found = _TRACE.fullmatch(traceparent)
    if found is None or (found[1] == "00" and found[3]):
        return ""
    return found[2]
