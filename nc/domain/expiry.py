"""When something stops being valid: one rule for tokens and nodes."""

NEVER = 0  # as an expiry, in the API as in the log


def has_passed(expires_at_ms: int, now_ms: int) -> bool:
    """Whether an expiry is over: from its very millisecond on, it is. `NEVER` never is."""
    return expires_at_ms != NEVER and now_ms >= expires_at_ms
