import contextlib
from datetime import UTC, datetime, time, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nc.cli.time_args import parse_expiry, parse_life, parse_point
from nc.durations import exact_duration, parse_duration
from nc.text import iso_time, wait_text

NOW_S = 1_795_000_000


@given(st.integers(min_value=1, max_value=2**32 - 1))
def test_unix_seconds_are_taken_as_they_are(seconds: int) -> None:
    """A number of seconds means itself."""
    assert parse_expiry(str(seconds), NOW_S) == seconds


@given(st.integers(min_value=1, max_value=10_000), st.sampled_from([("s", 1), ("m", 60)]))
def test_plus_counts_from_now(count: int, unit: tuple[str, int]) -> None:
    """`+90m` is ninety minutes from now."""
    name, seconds = unit
    assert parse_expiry(f"+{count}{name}", NOW_S) == NOW_S + count * seconds


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001 - text has no zone
def test_iso_times_are_utc_unless_they_say_otherwise(at: datetime) -> None:
    """A time without an offset is UTC; one with an offset is that moment."""
    at = at.replace(microsecond=0)
    seconds = int(at.replace(tzinfo=UTC).timestamp())
    assert parse_expiry(at.isoformat(), NOW_S) == seconds
    assert parse_expiry(at.isoformat() + "+01:00", NOW_S) == seconds - 3600


@given(st.times().map(lambda at: at.replace(microsecond=0)), st.booleans())
def test_a_time_of_day_is_the_last_one(at: time, has_seconds: bool) -> None:
    """In UTC: today's, or yesterday's if that is still to come."""
    at = at if has_seconds else at.replace(second=0)
    text = f"{at:%H:%M:%S}" if has_seconds else f"{at:%H:%M}"
    assert parse_point(text, NOW_S) == parse_point(text.removeprefix("0"), NOW_S)
    at_ns = parse_point(text, NOW_S).at_ns
    assert at_ns is not None
    found = datetime.fromtimestamp(at_ns / 1e9, UTC)
    assert found.time() == at
    assert 0 <= NOW_S - found.timestamp() < 86_400


def test_never_is_the_apis_zero() -> None:
    """`never` is what the API calls 0."""
    assert parse_expiry("never", NOW_S) == 0


@pytest.mark.parametrize("text", ["0", "1970-01-01"])
def test_no_moment_means_never_by_accident(text: str) -> None:
    """The first second of 1970, which the API reads as never, is refused."""
    with pytest.raises(ValueError, match="say never"):
        parse_expiry(text, NOW_S)


@pytest.mark.parametrize("text", ["", "tomorrow", "+5", "+5y", "-3m", "1e9", "٣", "+٣h", "15:00"])
def test_whatever_else_is_refused_with_what_is_allowed(text: str) -> None:
    """Text that is no time is an error that shows how to write one."""
    with pytest.raises(ValueError, match=r"use never, \+90m, 2026-11-20T15:00"):
        parse_expiry(text, NOW_S)


@given(st.datetimes(), st.integers(min_value=-1439, max_value=1439))
@example(datetime(9999, 12, 31, 23, 59, 59), -1380)  # noqa: DTZ001 - the zone comes beside it
@example(datetime(1, 1, 1), 1380)  # noqa: DTZ001 - as above
def test_every_moment_that_is_read_can_be_printed(at: datetime, offset_minutes: int) -> None:
    """In any zone: it is printed as what it is in UTC, or refused where that has no such year."""
    offset = timedelta(minutes=offset_minutes)
    text = at.replace(tzinfo=timezone(offset)).isoformat()
    try:
        in_utc = (at - offset).replace(tzinfo=UTC)
    except OverflowError:
        with pytest.raises(ValueError, match="is no moment"):
            parse_point(text, NOW_S)
        return
    at_ns = parse_point(text, NOW_S).at_ns
    assert at_ns is not None
    milliseconds = in_utc.microsecond // 1000
    printed = in_utc.replace(microsecond=milliseconds * 1000)
    assert datetime.fromisoformat(iso_time(at_ns)) == printed


@given(st.integers(1, 9999), st.sampled_from(["s", "m", "h", "d", "w"]), st.booleans())
def test_a_duration_is_its_parts(count: int, unit: str, upper: bool) -> None:
    """Letters or words, apart or together, in any case."""
    seconds = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}[unit]
    word = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}[unit]
    text = f"{count}{unit}"
    assert parse_duration(text.upper() if upper else text) == timedelta(seconds=count * seconds)
    assert parse_duration(f"{count} {word}") == timedelta(seconds=count * seconds)
    assert parse_duration(f"1h30m {count}{unit}") == timedelta(seconds=5400 + count * seconds)


@given(st.integers(-(2**40), 2**40))
def test_a_life_of_a_number_is_minutes(minutes: int) -> None:
    """As before there were units."""
    assert parse_life(str(minutes)) == minutes


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        *(("10m", 10), ("90s", 2), ("60s", 1), ("1s", 1), ("2h", 120), ("30d", 43_200)),
        *((" 10m.\r\n", 10), ("10 minutes", 10), ("1h30m", 90), ("never", -1), ("NEVER", -1)),
    ],
)
def test_a_life_is_rounded_up_to_minutes(text: str, minutes: int) -> None:
    """A token lives at least as long as it was asked to."""
    assert parse_life(text) == minutes


@pytest.mark.parametrize("text", ["soon", "10y", "-5m", "1.5h", "m", "9" * 30, "٣", "\0"])
def test_no_life_is_refused_with_what_is_allowed(text: str) -> None:
    """In one line, however long the text is."""
    with pytest.raises(ValueError, match="use a number of minutes, 10m, 2h, 30d, or never"):
        parse_life(text)


@given(st.integers(1_000_000_000, 4_000_000_000), st.sampled_from([3, 6, 9]))
def test_other_units_than_seconds_are_named(seconds: int, power: int) -> None:
    """Milliseconds, microseconds and nanoseconds are no far future, and no other moment."""
    unit = {3: "milliseconds", 6: "microseconds", 9: "nanoseconds"}[power]
    with pytest.raises(ValueError, match=f"looks like {unit}: in Unix seconds it is {seconds},"):
        parse_expiry(str(seconds * 10**power), NOW_S)


@pytest.mark.parametrize(
    ("text", "at_s"),
    [
        *(("30d", NOW_S + 2_592_000), (" +90m.\r\n", NOW_S + 5400), ("NOW", NOW_S)),
        *(("2026-11-20 15:00Z", 1_795_186_800), ("Never", 0)),
    ],
)
def test_an_expiry_is_read_as_it_is_pasted(text: str, at_s: int) -> None:
    """Without a plus, in capitals, with what a sentence has around it."""
    assert parse_expiry(text, NOW_S) == at_s


@given(st.text(max_size=50))
def test_any_text_is_a_moment_or_refused(text: str) -> None:
    """No text makes a parser fail in another way than by saying what is allowed."""
    for parse in (parse_duration, parse_life):
        with contextlib.suppress(ValueError):
            parse(text)
    for at in (parse_expiry, parse_point):
        with contextlib.suppress(ValueError):
            at(text, NOW_S)


@given(st.integers(0, 10**11))
@example(691_200)
def test_an_exact_duration_reads_back(seconds: int) -> None:
    """A refusal names what was asked for, to the second, as it could have been typed."""
    text = exact_duration(seconds)
    assert parse_duration(text) == timedelta(seconds=seconds)
    assert all(int(part) < 86_400 or "day" in text for part in text.split() if part.isdecimal())


@given(st.floats(0, 10**6))
def test_a_wait_is_in_seconds_only_while_it_is_short(seconds: float) -> None:
    """From two minutes on it is in minutes, hours or days."""
    assert wait_text(seconds).endswith(" s") == (seconds < 120)
