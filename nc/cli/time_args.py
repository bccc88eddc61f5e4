"""Moments as people write them on a command line."""

import re
from datetime import UTC, datetime, timedelta

from nc.history.events import Point

_AGO = re.compile(r"-([0-9]{1,9})([smhd])")
_LARGEST_SEQ = 2**64
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


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
