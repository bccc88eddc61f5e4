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

_RANDOM_BYTES: Final = 4


def delay_s(failures: int, secrets: Secrets) -> float:
    """Seconds until the next try: between half of the step's time and all of it.

    Args:
        failures: how many tries failed in a row, at least 1.
        secrets: gives the random number.
    """
    jitter = int.from_bytes(secrets.random_bytes(_RANDOM_BYTES)) / (1 << 8 * _RANDOM_BYTES)
    doublings = min(failures - 1, 32)  # far beyond LONGEST_S
    return min(LONGEST_S, FIRST_S * (1 << doublings)) * (1 + jitter) / 2
