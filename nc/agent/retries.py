"""When an agent tries again: at once where there is another server, then more and more seldom."""

from typing import Final

from nc.agent.link_errors import LinkEnded, NodeUnregistered, RetryLater, Unconfirmed
from nc.backoff import FIRST_REFUSED_S, LONGEST_REFUSED_S, delay_s
from nc.secrets import Secrets
from nc.text import wait_text

# A link that lasted so long does not count as a failure.
_LASTED_S: Final = 10.0


def again_text(wait_s: float) -> str:
    """`trying again in 0.4 s`, `trying again in 5 minutes`."""
    return f"trying again in {wait_text(wait_s)}"


class Retries:
    """The failures of one agent."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._failures = self._refusals = 0  # in a row; refusals are failures, too

    @property
    def is_early(self) -> bool:
        """Whether no round of all addresses has failed yet."""
        return self._failures <= 1

    def forget(self) -> None:
        """Begin anew, as when what was wrong may be mended."""
        self._failures = self._refusals = 0

    def delay_s(self, error: LinkEnded, connected_s: float, *, has_others: bool) -> float:
        """Seconds until the next try.

        Args:
            error: why there is no link.
            connected_s: how long there was one; 0: there was none.
            has_others: whether there are other addresses than that of the link.
        """
        if connected_s >= _LASTED_S:
            self.forget()
        self._failures += 1
        if isinstance(error, RetryLater | NodeUnregistered):
            self._refusals += 1
            return delay_s(self._refusals, self._secrets, FIRST_REFUSED_S, LONGEST_REFUSED_S)
        is_lost = isinstance(error, Unconfirmed) or connected_s > 0
        if has_others and is_lost and self.is_early:
            return 0.0
        return delay_s(self._failures, self._secrets)
