"""Moments as people write them on a command line."""

import re
from datetime import UTC, datetime, timedelta

from nc.history.events import Point

_RELATIVE = re.compile(r"\+([0-9]+)([smhd])")
_AGO = re.compile(r"-([0-9]{1,9})([smhd])")
_LARGEST_SEQ = 2**64
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_expiry(text: str, now_s: int) -> int:
    """Unix seconds of an expiry; 0, which is the API's word for it, for `never` alone.

    Args:
        text: `never`, `+90m` (s, m, h, d), `2026-11-20T15:00` (UTC unless it says otherwise), or
            Unix seconds.
        now_s: what `+` counts from.

    Raises:
        ValueError: it is none of these.
    """
    if text == "never":
        return 0
    if match := _RELATIVE.fullmatch(text):
        return now_s + int(match[1]) * _SECONDS[match[2]]
    if text.isdecimal() and text.isascii():
        seconds = int(text)
    else:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(
                f"{text!r} is no time: use never, +90m, 2026-11-20T15:00 (UTC), or Unix seconds"
            ) from None
        seconds = int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
    if seconds == 0:
        raise ValueError(f"{text!r} would mean never to the server: say never, or a later time")
    return seconds


def parse_point(text: str, now_s: int) -> Point:
    """A place in a log's history.

    Args:
        text: `now`, which is the end of the log, a sequence number, `2026-11-20T15:00` (UTC unless
            it says otherwise), or `-2h` (s, m, h, d).
        now_s: what `-` counts from.

    Raises:
        ValueError: it is none of these, or no moment of the years 1 to 9999 in UTC.
    """
    if text == "now":
        return Point()
    if text.isdecimal() and text.isascii() and int(text) < _LARGEST_SEQ:
        return Point(seq=int(text))
    try:
        if match := _AGO.fullmatch(text):
            ago = timedelta(seconds=int(match[1]) * _SECONDS[match[2]])
            at = datetime.fromtimestamp(now_s, UTC) - ago
        else:
            at = datetime.fromisoformat(text)
            at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text!r} is no moment: use now, a sequence number, 2026-11-20T15:00 (UTC), or -2h"
        ) from None
    since = at - datetime(1970, 1, 1, tzinfo=UTC)
    return Point(at_ns=since // timedelta(microseconds=1) * 1000)
