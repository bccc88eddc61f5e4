"""When a node's token expires, as people write it on a command line."""

import re
from datetime import UTC, datetime

_RELATIVE = re.compile(r"\+([0-9]+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_expiry(text: str, now_s: int) -> int:
    """Unix seconds of an expiry; 0, which is how the API writes it, only for `never`.

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
