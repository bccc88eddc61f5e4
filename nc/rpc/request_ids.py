"""Which request ids of callers are recorded, and how: `x-request-id` of gRPC's metadata.

Events and log lines hold a call's request id for ever, and a careless caller may send a token in
it. A token is 16 hex digits. So only ids of four narrow forms are used, and none is ever recorded
with 16 hex digits in a row that the caller chose:

    UUID, with dashes                 as it is: at most 12 hex digits in a row
    ULID                              as it is, unless it has 16 hex digits in a row
    W3C trace id or traceparent       as a keyed hash: they could hold a token
    20 hex digits, as a server makes  as a keyed hash: likewise

Nothing here asks which tokens exist. Otherwise a caller could find out whether a text is part of a
token that is in use, by whether its id is kept. The hash is keyed, so that a log does not help to
guess the token in an id, and equal ids have equal hashes, so that the calls of one trace are found
together.
"""

import re
from collections.abc import Callable

__all__ = ["recorded_id"]

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_ULID = re.compile(r"[0-7][0-9a-hjkmnp-tv-z]{25}", re.IGNORECASE | re.ASCII)  # Crockford's base 32
_TOKEN_LIKE = re.compile(r"[0-9a-f]{16}", re.IGNORECASE | re.ASCII)
_OURS = re.compile(r"[0-9a-f]{20}", re.IGNORECASE | re.ASCII)
_TRACE = re.compile(  # W3C Trace Context, 3.2: version 00, or the trace id alone
    r"(?:00-(?P<parent>[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}|(?P<id>[0-9a-f]{32}))",
    re.IGNORECASE | re.ASCII,
)


def recorded_id(sent: str, hashed: Callable[[str], str]) -> str | None:
    """What is recorded for a request id that a caller sent; None if it is of no form that is used.

    Args:
        sent: the caller's.
        hashed: a keyed hash, as hex.
    """
    if _UUID.fullmatch(sent):
        return sent
    if _ULID.fullmatch(sent):
        return None if _TOKEN_LIKE.search(sent) else sent
    if _OURS.fullmatch(sent):
        return hashed(sent)
    trace = _TRACE.fullmatch(sent)
    return hashed(trace["parent"] or trace["id"]) if trace else None
