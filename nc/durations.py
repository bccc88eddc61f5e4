"""Durations as people write them."""

import re
from datetime import timedelta
from typing import Final

from nc.text import quoted

_PART: Final = re.compile(r"([0-9]{1,9}) ?([a-z]+) ?")
_SECONDS: Final = {
    name: seconds
    for names, seconds in (
        (("s", "sec", "secs", "second", "seconds"), 1),
        (("m", "min", "mins", "minute", "minutes"), 60),
        (("h", "hr", "hrs", "hour", "hours"), 3600),
        (("d", "day", "days"), 86_400),
        (("w", "week", "weeks"), 7 * 86_400),
    )
    for name in names
}

_EXACT_UNITS: Final = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))


def parse_duration(text: str) -> timedelta:
    """`90s`, `10m`, `2h`, `30d`, `1w`, or several together (`1h30m`); also with whole words.

    Raises:
        ValueError: it is none of these.
    """
    rest = text.strip().lower()
    total_s = 0
    while match := _PART.match(rest):
        if match[2] not in _SECONDS:
            break
        total_s += int(match[1]) * _SECONDS[match[2]]
        rest = rest[match.end() :]
    if rest or not text.strip():
        raise ValueError(f"{quoted(text)} is no duration: use 90s, 10m, 2h, 30d or 1w")
    try:
        return timedelta(seconds=total_s)
    except OverflowError:
        raise ValueError(f"{quoted(text)} is longer than there are years") from None


def exact_duration(seconds: int) -> str:
    """A duration as people write it, to the second: `8 days`, `7 days 1 second`, `-90 seconds`.

    What `parse_duration` reads, if it is not negative: a refusal names what was asked for, and a
    rounded figure could be one that is allowed.
    """
    if not seconds:
        return "0 seconds"
    rest = abs(seconds)
    parts = []
    for name, unit_s in _EXACT_UNITS:
        count, rest = divmod(rest, unit_s)
        if count:
            parts.append(f"{count} {name}{'' if count == 1 else 's'}")
    return ("-" if seconds < 0 else "") + " ".join(parts)


def starts_with_duration(text: str) -> bool:
    return bool(_PART.match(text.lower()))
