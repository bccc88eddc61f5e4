"""How long to wait before the next try: longer each time, and nobody at the same moment.

A server that comes back is met by all of its nodes: waiting times that double spread them over its
absence, and chance spreads those that left it together.
"""

from typing import Final

from nc.secrets import Secrets

# A server that was only restarted is found again at once.
FIRST_S: Final = 0.25

# Five thousand nodes that all wait so long on average are 330 tries a second.
LONGEST_S: Final = 20.0

_CHANCE_BYTES: Final = 4


def delay_s(failures: int, secrets: Secrets) -> float:
    """Seconds until the next try: between half of the step's time and all of it.

    Args:
        failures: how many tries failed in a row, at least 1.
        secrets: where chance comes from.
    """
    chance = int.from_bytes(secrets.random_bytes(_CHANCE_BYTES)) / (1 << 8 * _CHANCE_BYTES)
    doublings = min(failures - 1, 32)  # long past the longest
    return min(LONGEST_S, FIRST_S * (1 << doublings)) * (1 + chance) / 2
