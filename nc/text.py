"""Values as people read and write them: moments, addresses, what they paste, foreign texts."""

import unicodedata
from datetime import UTC, datetime
from typing import Final

# What stands around a value that was copied from a sentence, a line of JSON or a chat.
_AROUND: Final = " \t\r\n\v\f\"'`<>(){}.,;"
_LONGEST_QUOTE: Final = 60


def moment(unix_ms: int) -> str:
    """Unix milliseconds as people write it, in UTC: `2026-11-20T15:00:00Z`."""
    try:
        return (
            datetime.fromtimestamp(unix_ms / 1000, tz=UTC).isoformat(timespec="seconds")[:-6] + "Z"
        )
    except (OverflowError, ValueError, OSError):
        return f"{unix_ms} ms after 1970"


_UNITS = (("days", 86_400), ("hours", 3600), ("minutes", 60))
_SHORT_S: Final = 120.0


def duration_text(seconds: float) -> str:
    """A duration as people write it, without its sign: `400 days`, `36 hours`, `90 seconds`."""
    seconds = abs(seconds)
    for name, unit_s in _UNITS:
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.0f} {name}"
    return f"{seconds:.3g} seconds"


def wait_text(seconds: float) -> str:
    """How long something waits: `0.4 s`, `90.0 s`, from two minutes on `5 minutes`."""
    return f"{seconds:.1f} s" if seconds < _SHORT_S else duration_text(seconds)


def expiry_text(unix_ms: int) -> str:
    """When something expires; 0 is how the log and the API write never."""
    return moment(unix_ms) if unix_ms else "never"


def host_port(host: str, port: int | str) -> str:
    """`host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def iso_time(recorded_at_ns: int) -> str:
    """A time in ISO 8601, UTC, with milliseconds."""
    return time_text(recorded_at_ns, "T") + "Z"


def time_text(recorded_at_ns: int, separator: str = " ") -> str:
    """A time in UTC, with milliseconds."""
    seconds, rest_ns = divmod(recorded_at_ns, 1_000_000_000)
    at = datetime.fromtimestamp(seconds, tz=UTC).replace(microsecond=rest_ns // 1000)
    return at.replace(tzinfo=None).isoformat(separator, timespec="milliseconds")


def unwrapped(text: str) -> str:
    """A pasted value without what surrounds it, and without invisible characters."""
    folded = unicodedata.normalize("NFKC", text)
    visible = "".join(
        c for c in folded if unicodedata.category(c) not in {"Cf", "Cc"} or c in "\t\r\n"
    )
    return visible.strip(_AROUND)


def quoted(text: str) -> str:
    """A text as part of a message: in quotes, escaped, and not longer than a line takes."""
    return repr(text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…")


def cells(text: str) -> int:
    """How many places of a terminal a text takes: letters of East Asia take two, accents none."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.category(c) in {"Mn", "Me"}
        else 1 + (unicodedata.east_asian_width(c) in "WF")
        for c in text
    )


def filled(text: str, width: int) -> str:
    """A text with spaces behind it, so that it takes `width` places."""
    return text + " " * (width - cells(text))


def printable(text: str) -> str:
    """A text from another machine, for a terminal, a log line or systemd.

    Control characters, line ends and marks that change the direction of writing are replaced: they
    could steer the terminal, or begin another line.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
