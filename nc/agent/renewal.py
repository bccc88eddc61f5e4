"""Renewal of a node's certificates: after a third of their life, and when they are refused.

    a third of the life, with jitter ──▶ ask the server ──▶ replace the files ──▶ a newer link
            ▲                                │ failed: again, more and more seldom
            └────────────────────────────────┘

Two thirds of the life are left for a server that is away. A machine that was off for longer asks at
its start: the node token and the key are enough, the old certificates need not be good. What counts
is this machine's clock; if it is wrong, a link that is refused leads to a renewal, too. If the
server's was ahead when it signed, and is right again, the next renewal need not wait for long.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, NamedTuple

from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.agent.addresses import KnownAddresses
from nc.agent.link_errors import LinkEnded, RetryLater
from nc.agent.node_files import Files, RenewedCertificates, Terms, require_fitting
from nc.agent.retries import again_text
from nc.agent.settings import AgentSettings
from nc.backoff import FIRST_REFUSED_S, LONGEST_REFUSED_S, delay_s
from nc.clock import Clock, now_ms
from nc.pki.certificates import CLOCK_SKEW, milliseconds
from nc.pki.errors import PkiError
from nc.pki.requests import request_for
from nc.secrets import Secrets
from nc.text import moment

# When to renew, as shares of the life: the earliest, and by how much it is later at random. Nodes
# that enrolled together would else renew together for ever.
_DUE: Final = 1 / 3
_JITTER: Final = 1 / 12

# What a link that is refused may bring about: a renewal so soon after another would change nothing.
_AT_LEAST: Final = 1 / 50

# How often the wall clock is looked at, since the machine may have slept, or the clock been set.
_LOOK: Final = 1 / 200
_LOOK_S: Final = (1.0, 6 * 3600.0)  # the bounds of that

# Handshakes that were cut short in a row, after which it may be for the certificate.
_CUT_SHORT: Final = 3

# Between two tries that fail, while the certificates are still good.
_LONGEST_PAUSE_S: Final = 3600.0

_RANDOM_BYTES: Final = 4


class RenewalRequest(NamedTuple):
    """What is asked, and where: at each of the hosts, until one answers."""

    hosts: tuple[str, ...]
    port: int
    node_token: str
    request_pem: str
    authority_pem: str
    proxy: str | None

    def __repr__(self) -> str:
        return f"RenewalRequest({self.hosts}, {self.port})"


class RenewalFailed(Exception):
    """There are no new certificates.

    Attributes:
        is_final: the server says that the node was unregistered.
    """

    def __init__(self, text: str, *, is_final: bool = False) -> None:
        self.is_final = is_final
        super().__init__(text)


Ask = Callable[[RenewalRequest], Awaitable[RenewedCertificates]]


async def renew(
    node_token: str, files: Files, addresses: KnownAddresses, proxy: str | None, ask: Ask
) -> None:
    """Replace a node's certificates by new ones for the same key.

    Args:
        node_token: the node's.
        files: the node's.
        addresses: where its server may be.
        proxy: the URL of an HTTP proxy to go through.
        ask: asks the server; raises RenewalFailed.

    Raises:
        RenewalFailed: there are no new ones; what is in the files is left as it was.
    """
    try:
        terms = files.terms()
        if terms is None:
            raise RenewalFailed(
                "the server made the node's key, and so does not renew its certificates"
            )
        key = files.key()
        hosts = tuple(dict.fromkeys(host for host, _ in addresses.all))
        request_pem, authority_pem = request_for(key).decode(), files.authority_pem().decode()
        renewed = await ask(
            RenewalRequest(
                hosts, terms.bootstrap_port, node_token, request_pem, authority_pem, proxy
            )
        )
        require_fitting(renewed, key)
        await asyncio.to_thread(files.replace, renewed)
        await asyncio.to_thread(addresses.told, renewed.links)
    except (OSError, PkiError) as error:
        raise RenewalFailed(str(error)) from error


def _why(error: Exception) -> str:
    """Why there was no renewal; with its type, if it is an error that is not expected."""
    return str(error) if isinstance(error, RenewalFailed | OSError) else repr(error)


class Renewal:
    """The renewal of one node's certificates.

    Args:
        node_token: the node's.
        files: of the node.
        ask: asks the server; raises RenewalFailed.

    Attributes:
        unregistered: what the server said, if it was that; "".
    """

    def __init__(
        self,
        node_token: str,
        files: Files,
        addresses: KnownAddresses,
        settings: AgentSettings,
        *,
        clock: Clock,
        secrets: Secrets,
        log: FilteringBoundLogger,
        ask: Ask,
    ) -> None:
        self._node_token = node_token
        self._files = files
        self._addresses = addresses
        self._proxy = settings.proxy
        self._clock = clock
        self._secrets = secrets
        self._log = log
        self._ask = ask
        self._refused = asyncio.Event()
        self._cut_short = 0  # handshakes in a row
        self._renewed_at_s: float | None = None  # monotonic; None: not since the start
        self._begin_later = False  # what it gave: its clock was ahead, and has been set back
        self.unregistered = ""

    def link_failed(self, error: LinkEnded) -> None:
        """There is no link; renew if that may be for the certificate.

        A server that ends cuts handshakes short, too, but not again and again.
        """
        self._cut_short = self._cut_short + 1 if error.is_cut_short else 0
        self._begin_later = self._begin_later or self._do_begin_later(error.server_time)
        if isinstance(error, RetryLater) or self._cut_short >= _CUT_SHORT:
            self._refused.set()

    async def run(self, changed: Callable[[], None]) -> None:
        """Renew again and again, until there can be no new certificates.

        `changed` is called when there are some, and at the end.
        """
        failures = 0
        terms: Terms | None = None
        while True:
            try:
                terms = self._files.terms() or terms
                if terms is None:
                    break
                if not failures:
                    await self._wait_until_due(terms)
                await self._renew()
            except Exception as error:  # noqa: BLE001 - whatever it is: without renewals a node ends
                if isinstance(error, RenewalFailed) and error.is_final:
                    self.unregistered = str(error)
                    break
                failures += 1
                await self._pause(failures, terms, error)
            else:
                failures = 0
                changed()
        changed()

    async def _renew(self) -> None:
        await renew(self._node_token, self._files, self._addresses, self._proxy, self._ask)
        self._renewed_at_s, self._begin_later = self._monotonic_s, False
        self._refused.clear()
        self._log.info(log_events.AGENT_RENEWED, ends=moment(self._ends_ms()))

    async def _wait_until_due(self, terms: Terms) -> None:
        drawn = int.from_bytes(self._secrets.random_bytes(_RANDOM_BYTES))
        share = _DUE + _JITTER * drawn / (1 << 8 * _RANDOM_BYTES)
        began_s, ends_ms = self._monotonic_s, self._ends_ms()
        shortest, longest = _LOOK_S
        look_s = min(max(terms.lifetime_s * _LOOK, shortest), longest)
        while True:
            # by the wall clock, and by the other one where that was set back
            left_s = (ends_ms - now_ms(self._clock)) / 1000 - (1 - share) * terms.lifetime_s
            left_s = min(left_s, began_s + share * terms.lifetime_s - self._monotonic_s)
            if self._refused.is_set() or left_s <= 0:
                await self._wait_for_the_next(terms)
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, look_s)):
                    await self._refused.wait()

    async def _wait_for_the_next(self, terms: Terms) -> None:
        """Wait until a renewal may follow on the last one, whatever the wall clock says."""
        self._refused.clear()
        while (left_s := self._pause_left_s(terms)) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._refused.wait()
            self._refused.clear()

    def _pause_left_s(self, terms: Terms) -> float:
        if self._renewed_at_s is None:
            return 0.0
        pause_s = terms.lifetime_s * _AT_LEAST
        if self._begin_later:
            pause_s = min(pause_s, LONGEST_REFUSED_S)
        return self._renewed_at_s + pause_s - self._monotonic_s

    def _do_begin_later(self, server_time: datetime | None) -> bool:
        """Whether the certificates are not valid yet at this moment of the server's clock."""
        if server_time is None or server_time.tzinfo is None:
            return False
        try:
            terms = self._files.terms()
        except OSError:
            return False
        signed_ms = 0 if terms is None else self._ends_ms() - terms.lifetime_s * 1000
        return milliseconds(server_time + CLOCK_SKEW) < signed_ms

    async def _pause(self, failures: int, terms: Terms | None, error: Exception) -> None:
        has_ended = self._ends_ms() <= now_ms(self._clock)
        longest_s = LONGEST_REFUSED_S if has_ended else _LONGEST_PAUSE_S
        if terms is not None:
            longest_s = min(longest_s, terms.lifetime_s * _AT_LEAST)
        first_s = min(FIRST_REFUSED_S, longest_s)
        wait_s = delay_s(failures, self._secrets, first_s, longest_s)
        self._log.warning(
            log_events.AGENT_NOT_RENEWED,
            message=f"{_why(error)}; {again_text(wait_s)}",
            ends=moment(self._ends_ms()),
        )
        await asyncio.sleep(wait_s)

    def _ends_ms(self) -> int:
        """When the certificates end; 0 if that cannot be read."""
        try:
            return self._files.ends_ms()
        except (OSError, PkiError):
            return 0

    @property
    def _monotonic_s(self) -> float:
        return self._clock.monotonic_ns() / 1e9
