"""Values as people read them: moments and addresses."""

from datetime import UTC, datetime


def moment(unix_ms: int) -> str:
    """Unix milliseconds as people write it, in UTC: `2026-11-20T15:00:00Z`."""
    try:
        return (
            datetime.fromtimestamp(unix_ms / 1000, tz=UTC).isoformat(timespec="seconds")[:-6] + "Z"
        )
    except (OverflowError, ValueError, OSError):
        return f"{unix_ms} ms after 1970"


def host_port(host: str, port: int | str) -> str:
    """`host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
