"""Expiry: one rule for tokens and nodes."""

NEVER = 0  # as an expiry, in the API as in the log


def has_passed(expires_at_ms: int, now_ms: int) -> bool:
    """Whether an expiry has passed, as it has in its very millisecond. `NEVER` never has."""
    return expires_at_ms != NEVER and now_ms >= expires_at_ms
