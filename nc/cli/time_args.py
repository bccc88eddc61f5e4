"""Durations and moments as people write them on a command line.

`parse_duration` and `parse_moment` know the forms; the others say what each option makes of them.
"""

import re
from datetime import UTC, datetime, time, timedelta
from typing import Final

import typer

from nc.clock import SystemClock
from nc.contract import LARGEST_UINT64
from nc.durations import parse_duration, starts_with_duration
from nc.history.events import Point
from nc.text import moment, quoted, unwrapped

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS: Final = 20  # of a number that means anything here
_TIME_OF_DAY: Final = re.compile(r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?")
_FIRST_MS: Final = 10**11  # as seconds it is the year 5138


def parse_moment(text: str, now_s: int, sign: str) -> datetime:
    """`2026-11-20T15:00` (UTC unless it says otherwise), or a duration behind the sign, from now.

    Raises:
        ValueError, OverflowError: it is neither, or no moment of the years 1 to 9999 in UTC.
    """
    if text.startswith(sign):
        duration = parse_duration(text[1:])
        now = datetime.fromtimestamp(now_s, UTC)
        return now + duration if sign == "+" else now - duration
    at = datetime.fromisoformat(text)
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def parse_point(text: str, now_s: int) -> Point:
    """A place in a log's history.

    Args:
        text: `now`, which is the end of the log, a sequence number, `2026-11-20T15:00` (UTC unless
            it says otherwise), `15:00`, the last time that it was so late in UTC, or `-2h` (s, m,
            h, d, w).
        now_s: what `-` counts from.

    Raises:
        ValueError: it is none of these, or no moment of the years 1 to 9999 in UTC.
    """
    clean = unwrapped(text)
    if clean.lower() == "now":
        return Point()
    if _is_number(clean) and int(clean) <= LARGEST_UINT64:
        return Point(seq=int(clean))
    try:
        is_time = _TIME_OF_DAY.fullmatch(clean)
        at = _last_time(clean, now_s) if is_time else parse_moment(clean, now_s, "-")
    except (ValueError, OverflowError):
        raise ValueError(
            f"{quoted(text)} is no moment: use now, a sequence number, 2026-11-20T15:00 or 15:00 "
            "(UTC), or -2h"
        ) from None
    return Point(at_ns=(at - _EPOCH) // timedelta(microseconds=1) * 1000)


def point_named(text: str, option: str = "") -> Point:
    """A place in the log, as of now; an error about it begins with the option's name."""
    try:
        return parse_point(text, SystemClock().now_ns() // 1_000_000_000)
    except ValueError as error:
        raise typer.BadParameter(f"{option}{error}") from None


def _last_time(text: str, now_s: int) -> datetime:
    """The last moment until now at which it was so late in UTC."""
    now = datetime.fromtimestamp(now_s, UTC)
    at = datetime.combine(
        now.date(), time.fromisoformat(text if text[2] == ":" else f"0{text}"), UTC
    )
    return at if at <= now else at - timedelta(days=1)


def parse_expiry(text: str, now_s: int) -> int:
    """Unix seconds of an expiry; 0, which is how the API writes it, only for `never`.

    Args:
        text: `never`, `now`, `+90m` or `90m` from now (s, m, h, d, w), `2026-11-20T15:00` (UTC
            unless it says otherwise), or Unix seconds.
        now_s: what durations count from.

    Raises:
        ValueError: it is none of these.
    """
    clean = unwrapped(text)
    if clean.lower() in {"never", "now"}:
        return 0 if clean.lower() == "never" else now_s
    seconds = int(clean) if _is_number(clean) else _seconds_of(clean, text, now_s)
    if seconds >= _FIRST_MS:
        raise ValueError(_too_large(clean, seconds))
    if seconds == 0:
        raise ValueError(
            f"{quoted(text)} would mean never to the server: say never, or a later time"
        )
    return seconds


def _seconds_of(clean: str, text: str, now_s: int) -> int:
    try:
        is_duration = starts_with_duration(clean) and "-" not in clean
        at = parse_moment(f"+{clean}" if is_duration else clean, now_s, "+")
    except (ValueError, OverflowError):
        raise ValueError(
            f"{quoted(text)} is no time: use never, +90m, 2026-11-20T15:00 (UTC), or Unix seconds"
        ) from None
    return (at - _EPOCH) // timedelta(seconds=1)


def _too_large(clean: str, number: int) -> str:
    for unit, each in (("milliseconds", 10**3), ("microseconds", 10**6), ("nanoseconds", 10**9)):
        if number // each < _FIRST_MS:
            seconds = number // each
            return (
                f"{clean} looks like {unit}: in Unix seconds it is {seconds}, "
                f"which is {moment(seconds * 1000)}"
            )
    return f"{quoted(clean)} is no time: use Unix seconds, or 2026-11-20T15:00 (UTC)"


def parse_life(text: str) -> int:
    """Minutes that a token lives, as the API takes them: 0 is its default, negative is for ever.

    Args:
        text: a number of minutes, `10m`, `2h`, `30d` (rounded up to whole minutes), or `never`.

    Raises:
        ValueError: it is none of these.
    """
    clean = unwrapped(text).lower()
    if clean in {"never", "forever"}:
        return -1
    if _is_number(clean.removeprefix("-")):
        return int(clean)
    try:
        return -(-parse_duration(clean) // timedelta(minutes=1))
    except ValueError:
        raise ValueError(
            f"{quoted(text)} is no duration: use a number of minutes, 10m, 2h, 30d, or never"
        ) from None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS
