"""Exponential backoff with jitter: how long to wait before the next try.

After a server's outage all of its nodes come back: doubling spreads them over the outage, and
jitter spreads those that lost their links at the same moment.
"""

from typing import Final

from nc.secrets import Secrets

# A server that was only restarted is found again soon.
FIRST_S: Final = 0.25

# With five thousand nodes: some 330 tries a second on average.
LONGEST_S: Final = 20.0

# After a refusal that somebody has to mend: seldom, and soon enough after it was mended.
FIRST_REFUSED_S: Final = 20.0
LONGEST_REFUSED_S: Final = 300.0

_RANDOM_BYTES: Final = 4


def delay_s(
    failures: int, secrets: Secrets, first_s: float = FIRST_S, longest_s: float = LONGEST_S
) -> float:
    """Seconds until the next try: between half of the step's time and all of it.

    Args:
        failures: how many tries failed in a row, at least 1.
        secrets: gives the random number.
        first_s: the time of the first step.
        longest_s: and of the last.
    """
    jitter = int.from_bytes(secrets.random_bytes(_RANDOM_BYTES)) / (1 << 8 * _RANDOM_BYTES)
    doublings = min(failures - 1, 32)  # far beyond LONGEST_S
    return min(longest_s, first_s * (1 << doublings)) * (1 + jitter) / 2
