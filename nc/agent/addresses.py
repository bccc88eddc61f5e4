"""Where the server may be: the addresses that a node knows, kept across restarts.

    the one that worked last ─▶ those that the server tells ─▶ the one it joined with

They are tried in this order, but the one that was just lost comes last. A server tells them when a
machine joins, at each link, whenever they change, and at renewals. So a node finds the other
servers when one is gone, and a server that moves, for which both addresses are advertised.
"""

import contextlib
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from nc.agent.connecting import connect
from nc.agent.connection import HubConnection, Target
from nc.agent.link_errors import WITNESSES, LinkEnded, NodeUnregistered, RetryLater, UntrustedServer
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
        others: more addresses that its configuration has.

    Attributes:
        token_digest: of the bootstrap token that the node joined with; "" if it is not known.
    """

    def __init__(self, path: Path | None, origin: Address, *others: Address) -> None:
        self._path = path
        self._origin = origin
        self._others = others
        self._learnt: tuple[Address, ...] = ()
        self._lost: Address | None = None
        self._may_replace = True
        self.token_digest = ""
        try:
            kept: dict[str, Any] = json.loads(path.read_bytes()) if path else {}
            if kept.get("origin") == addresses_text([origin]):
                self._learnt = read_addresses(kept["addresses"])
                self.token_digest = str(kept.get("token", ""))
        except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
            pass  # nothing is known yet
        except OSError:  # what it holds is more than what is known here
            self._may_replace = False

    @property
    def all(self) -> tuple[Address, ...]:
        """Each address once, the most promising first."""
        each = dict.fromkeys((*self._learnt, self._origin, *self._others))
        if self._lost in each:
            del each[self._lost]
            each[self._lost] = None
        return tuple(each)

    def prefer(self, addresses: Iterable[Address]) -> None:
        """Try these before all others from now on."""
        self._keep((*addresses, *self._learnt))

    def linked(self, address: Address, told: Sequence[Address]) -> None:
        """Keep the address that a link was made to, and those that the server told over it."""
        self._lost = None
        self._keep((address, *(told or self._learnt)))

    def lost(self, address: Address) -> None:
        """A link to this address has ended: try it after the others."""
        self._lost = address

    def told(self, addresses: Sequence[Address]) -> None:
        """Keep what a server tells without a link; the address that worked last stays the first."""
        if addresses:
            self._keep((*self._learnt[:1], *addresses))

    def joined(self, token_digest: str, addresses: Iterable[Address]) -> None:
        """Keep what a machine knows that has just joined."""
        self._learnt, self.token_digest, self._may_replace = (), token_digest, True
        self._keep(addresses)

    def _keep(self, addresses: Iterable[Address]) -> None:
        learnt = tuple(dict.fromkeys(addresses))[:_MOST]
        if learnt == self._learnt:
            return
        self._learnt = learnt
        if self._path is None or not self._may_replace:
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
    targets: Sequence[Target], connect: Connect = connect, *, before: str = ""
) -> tuple[HubConnection, Target]:
    """Open a link to the first of these that gives one.

    Args:
        targets: in the order in which they are tried.
        connect: opens a link.
        before: the target that has said that the node was unregistered when it ended a link.

    Raises:
        LinkEnded: none does. NodeUnregistered only if the server says so that decides, or two, or
            every one: another may be the server that still knows the node.
    """
    errors: list[LinkEnded] = []
    for target in targets:
        try:
            return await connect(target), target
        except LinkEnded as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    tried = [str(target) for target in targets]
    each = "; ".join(f"{place}: {error}" for place, error in zip(tried, errors, strict=True))
    unregistered = {
        place: error
        for place, error in zip(tried, errors, strict=True)
        if isinstance(error, NodeUnregistered)
    }
    is_certain = any(error.is_certain for error in unregistered.values())
    if is_certain or (unregistered and len({before, *unregistered} - {""}) >= WITNESSES):
        raise NodeUnregistered(each)
    raise _summed_up(errors, each)


def _summed_up(errors: Sequence[LinkEnded], text: str) -> LinkEnded:
    """One error for several: the kind, the server's time, and whether dates are the reason."""
    for_dates = [e for e in errors if isinstance(e, UntrustedServer) and e.is_for_dates]
    refused = [*for_dates, *(e for e in errors if isinstance(e, RetryLater))]
    kind = type(errors[0])
    if any(isinstance(e, NodeUnregistered) for e in errors):
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
