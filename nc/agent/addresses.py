"""Where the server may be: the addresses that a node knows, kept across restarts.

    the one that worked last ─▶ those that the server tells over the link ─▶ the one it joined with

They are tried in this order. An operator who moves a server advertises both addresses for a while;
a node that has linked once in that time finds the new one by itself.
"""

import contextlib
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from nc.agent.connection import HubConnection, Target, connect
from nc.agent.link_errors import LinkEnded, NodeUnregistered, RetryLater, UntrustedServer
from nc.files import OS_FILES, replace_file
from nc.net.wire import Address, addresses_text, read_addresses

_MODE: Final = 0o600
_MOST: Final = 16

Connect = Callable[[Target], Awaitable[HubConnection]]


class KnownAddresses:
    """The addresses of one node's server.

    Args:
        path: the file that keeps them; None keeps them in memory.
        origin: the address in the node's own state or configuration; what was learnt under another
            one does not count.

    Attributes:
        token_digest: of the bootstrap token that the node joined with; "" if it is not known.
    """

    def __init__(self, path: Path | None, origin: Address) -> None:
        self._path = path
        self._origin = origin
        self._learnt: tuple[Address, ...] = ()
        self.token_digest = ""
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
            kept: dict[str, Any] = json.loads(path.read_bytes()) if path else {}
            if kept.get("origin") == addresses_text([origin]):
                self._learnt = read_addresses(kept["addresses"])
                self.token_digest = str(kept.get("token", ""))

    @property
    def all(self) -> tuple[Address, ...]:
        """Each address once, the most promising first."""
        return tuple(dict.fromkeys((*self._learnt, self._origin)))

    def prefer(self, addresses: Iterable[Address]) -> None:
        """Try these before all others from now on."""
        self._keep((*addresses, *self._learnt))

    def linked(self, address: Address, told: Sequence[Address]) -> None:
        """Keep the address that a link was made to, and those that the server told over it."""
        self._keep((address, *(told or self._learnt)))

    def joined(self, token_digest: str, addresses: Iterable[Address]) -> None:
        """Keep what a machine knows that has just joined."""
        self._learnt, self.token_digest = (), token_digest
        self._keep(addresses)

    def _keep(self, addresses: Iterable[Address]) -> None:
        learnt = tuple(dict.fromkeys(addresses))[:_MOST]
        if learnt == self._learnt:
            return
        self._learnt = learnt
        if self._path is None:
            return
        kept = {
            "origin": addresses_text([self._origin]),
            "token": self.token_digest,
            "addresses": addresses_text(learnt),
        }
        # They help after a move only: a full disk ends no link.
        with contextlib.suppress(OSError):
            replace_file(OS_FILES, self._path, json.dumps(kept).encode(), _MODE)


async def connect_to_one_of(
    targets: Sequence[Target], connect: Connect = connect
) -> tuple[HubConnection, Target]:
    """Open a link to the first of these that gives one.

    Raises:
        LinkEnded: none does. NodeUnregistered only if every one says so: another may be the
            server that still knows the node.
    """
    errors: list[LinkEnded] = []
    for target in targets:
        try:
            return await connect(target), target
        except LinkEnded as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    each = "; ".join(f"{target}: {error}" for target, error in zip(targets, errors, strict=True))
    raise _summed_up(errors, each)


def _summed_up(errors: Sequence[LinkEnded], text: str) -> LinkEnded:
    """One error for several: the kind, the server's time, and whether dates are the reason."""
    for_dates = [e for e in errors if isinstance(e, UntrustedServer) and e.is_for_dates]
    refused = [*for_dates, *(e for e in errors if isinstance(e, RetryLater))]
    is_unregistered = [isinstance(e, NodeUnregistered) for e in errors]
    kind = type(errors[0])
    if any(is_unregistered) and not all(is_unregistered):
        kind = RetryLater
    if refused:
        kind = type(refused[0])
    ended = kind(text)
    ended.is_cut_short = any(error.is_cut_short for error in errors)
    if isinstance(ended, UntrustedServer):
        ended.is_for_dates = bool(for_dates)
    times = (error.server_time for error in errors if error.server_time is not None)
    ended.server_time = next(times, None)
    return ended
