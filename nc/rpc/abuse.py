"""What callers are held to that guess tokens, or go on calling although they are refused.

A wrong token counts against the address that it came from, a right one does not: a rack
of machines may enrol at once from behind one address. Once an address has nothing left, none of its
tokens is looked at, since an answer to a right one would tell it from the wrong ones. Who may issue
tokens (administrators, and everybody in plain text) has no need to guess, and is not limited.
Bootstrap tokens are for GetToken; node tokens are for the internal port, where knowing one is the
right to change when its node expires.

Refusing a call costs as much as answering it. Who goes on all the same gets no answer any more: its
connections are silent, and then end (`nc.rpc.queue.hang_up`).
"""

import math
import threading
from collections.abc import Callable
from typing import Any, Final

from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.clock import Clock
from nc.domain.errors import DomainError
from nc.durations import exact_duration
from nc.rpc.callers import Caller, CallerKind
from nc.rpc.rates import Rates

# Wrong tokens at once: a rack of machines that were all given a wrong one hear so.
GUESSES_AT_ONCE: Final = 100

# Refusals of one party until its connections end: far more than a client that waits between its
# tries ever gets. One costs some 60 µs, for which others wait.
REFUSALS_A_SECOND: Final = 200
REFUSALS_AT_ONCE: Final = 2000  # of a party that may be many machines
REFUSALS_OF_ONE_AT_ONCE: Final = 500  # of an identity

# Whose party may be many machines: an address, or the certificate that all nodes of an upstream
# server have.
_OF_MANY: Final = {
    *(CallerKind.ANONYMOUS, CallerKind.UNRESTRICTED, CallerKind.INTERNAL),
    CallerKind.UPSTREAM_NODE,
}

_NS: Final = 1_000_000_000
_LINE_EVERY_NS: Final = 10 * _NS
_LONG_S: Final = 120  # from then on people read minutes


class TooManyGuesses(Exception):
    """A party has sent too many wrong tokens."""

    def __init__(self, wait_s: float) -> None:
        whole_s = math.ceil(wait_s)  # by any less it would be too early
        wait = f"{whole_s} s" if whole_s < _LONG_S else exact_duration(whole_s)
        super().__init__(
            "too many wrong tokens have come from your address; try again in "
            f"{wait} with a valid one (ncadm tokens issue "
            "makes a bootstrap token)"
        )


class WrongToken(Exception):
    """A token was refused.

    Attributes:
        reason: why.
        delay_s: how long the answer is to be held back.
    """

    def __init__(self, reason: DomainError, delay_s: float) -> None:
        super().__init__(reason)
        self.reason = reason
        self.delay_s = delay_s


class Abuse:
    """What each party has left, on all ports. Used in the queue's thread, guesses in any.

    Args:
        guesses_a_second: wrong tokens of a party; 0: as many as it likes.
        log: gets a line every ten seconds at most while parties are limited.

    Attributes:
        wrong_tokens: tokens that were refused.
        not_looked_at: calls that were refused for the wrong tokens before them.
        hung_up: refusals with which a connection was ended.
    """

    def __init__(self, guesses_a_second: float, clock: Clock, log: FilteringBoundLogger) -> None:
        self._clock = clock
        self._log = log
        self._guesses: Rates | None = None
        if guesses_a_second:
            self._guesses = Rates(guesses_a_second, GUESSES_AT_ONCE, clock.monotonic_ns)
        self._refusals = Rates(REFUSALS_A_SECOND, REFUSALS_AT_ONCE, clock.monotonic_ns)
        self._refusals_of_one = Rates(
            REFUSALS_A_SECOND, REFUSALS_OF_ONE_AT_ONCE, clock.monotonic_ns
        )
        self._guesses_lock = threading.Lock()
        self._line_due_ns: dict[str, int] = {}
        self.wrong_tokens = self.not_looked_at = self.hung_up = 0

    def require_guesses_left(self, caller: Caller, party: object) -> None:
        """Check that a token of this caller may be looked at.

        Raises:
            TooManyGuesses: there were too many wrong ones.
        """
        guesses = self._guesses
        if guesses is None or _may_issue(caller):
            return
        with self._guesses_lock:
            if guesses.left(party) > 0:
                return
            wait_s = guesses.wait_s(party)
        self.not_looked_at += 1
        self._warn(
            log_events.RPC_GUESSES,
            party,
            wrong_tokens=self.wrong_tokens,
            not_looked_at=self.not_looked_at,
        )
        raise TooManyGuesses(wait_s)

    def judge(self, caller: Caller, party: object, check: Callable[[], object]) -> None:
        """Look at a bootstrap token.

        Raises:
            TooManyGuesses: there were too many wrong ones before.
            WrongToken: it is one more.
        """
        self.require_guesses_left(caller, party)
        try:
            check()
        except DomainError as error:
            raise WrongToken(error, self.note_guess(caller, party)) from error

    def is_to_hang_up(self, caller: Caller, party: object) -> bool:
        """Note a refusal; whether the connection that it went to is to end."""
        if caller.kind is CallerKind.ADMIN:
            return False
        refusals = self._refusals if caller.kind in _OF_MANY else self._refusals_of_one
        if refusals.left(party) > 0:
            refusals.spend(party)
            return False
        self.hung_up += 1
        self._warn(log_events.RPC_HUNG_UP, party, hung_up=self.hung_up)
        return True

    def note_guess(self, caller: Caller, party: object) -> float:
        """Count a wrong token; how long its answer is held back, seconds.

        The first ones are mistakes, and are answered at once.
        """
        self.wrong_tokens += 1
        guesses = self._guesses
        if guesses is None or _may_issue(caller):
            return 0.0
        with self._guesses_lock:
            guesses.spend(party)
            is_mistake = guesses.left(party) >= guesses.at_once // 2
        return 0.0 if is_mistake else min(1.0, guesses.each_ns / _NS)

    def _warn(self, event: str, party: object, **counts: Any) -> None:
        now_ns = self._clock.monotonic_ns()
        if self._line_due_ns.get(event, now_ns) <= now_ns:
            self._line_due_ns[event] = now_ns + _LINE_EVERY_NS
            self._log.warning(event, party=str(party), **counts)


def _may_issue(caller: Caller) -> bool:
    return caller.kind in {CallerKind.ADMIN, CallerKind.UNRESTRICTED}
