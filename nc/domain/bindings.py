"""Which node holds which address, and whose address may be another's."""

from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple, TypeAlias

from rpds import HashTrieMap

from nc.domain.errors import AddressPoolExhausted, AddressRecentlyHeld, TokenShareReached
from nc.domain.limits import DEFAULT_RECLAIM_AFTER_MS
from nc.domain.map_items import items_of
from nc.domain.network import Network

# Holders that are no nodes: replicas, by their sessions.
_SESSION: Final = "session "

HOUR_MS: Final = 60 * 60 * 1000


class Binding(NamedTuple):
    """An address that a node holds."""

    address: str
    idle_since_seq: int | None  # the event that made the node idle; None while it has a link
    idle_since_ms: int = 0  # when that was; 0: not known, or it has a link
    is_assigned: bool = False  # an administrator chose it: it is not reclaimed


Bindings: TypeAlias = "HashTrieMap[str, Binding]"  # by node id, or `session_holder`


def session_holder(session: str) -> str:
    """The holder, among the bindings, that a session is."""
    return f"{_SESSION}{session}"


def session_of(holder: str) -> str | None:
    """The session that a holder is; None for a node."""
    return holder.removeprefix(_SESSION) if holder.startswith(_SESSION) else None


class Reclaim(NamedTuple):
    """Whose address may be reclaimed for a node.

    Attributes:
        now_ms: the present.
        after_ms: only that of a node that has been idle for so long.
        share: None, or the node may have none, since its token enrolled more than so many in a day.
    """

    now_ms: int
    after_ms: int = DEFAULT_RECLAIM_AFTER_MS
    share: int | None = None


class _Holders:
    """Who holds which address, of the bindings that were last asked about.

    A state does not hold this index: it would be a fifth of the state's memory, and operators alone
    ask for it. An answer is checked against the bindings, so an older index may serve.
    """

    def __init__(self) -> None:
        self._bindings: Bindings | None = None
        self._holders: dict[str, str] = {}

    def of(self, bindings: Bindings, address: str) -> str:
        found = self._holders.get(address, "")
        held = bindings.get(found)
        if held is not None and held.address == address:
            return found
        if self._bindings is not bindings:
            self._holders = {held.address: node_id for node_id, held in items_of(bindings)}
            self._bindings = bindings
        return self._holders.get(address, "")


# The id of the node that holds an address, "" if none does. O(1) for a holder that it was asked
# about before, else O(bindings) after each change of them.
holder_in: Final = _Holders().of


def is_reclaimable(network: Network, binding: Binding) -> bool:
    """Whether an address is an idle node's, and may be another's once that was idle for long."""
    return (
        binding.idle_since_seq is not None
        and not binding.is_assigned
        and network.slot(binding.address) is not None
    )


def idle_hours(held: Iterable[Binding]) -> "HashTrieMap[int, int]":
    """How many of these addresses became idle in which hour of Unix time, but for assigned ones.

    They may be of an earlier network, which cannot be reclaimed: to look is slow.
    """
    idle = (
        each.idle_since_ms // HOUR_MS
        for each in held
        if each.idle_since_seq is not None and not each.is_assigned
    )
    return HashTrieMap(Counter(idle))


def longest_idle(
    bindings: Bindings, hours: "HashTrieMap[int, int]", network: Network, reclaim: Reclaim
) -> str:
    """The node that has been idle longest among those with an address of this network.

    O(bindings) if one may give its address up; a refusal does not look at them, but within the hour
    that is about to be long enough ago.

    Raises:
        AddressPoolExhausted: none is idle, or none for long enough, or the node may have none.
    """
    after_ms = reclaim.after_ms
    counted = items_of(hours)
    if not counted:
        raise AddressPoolExhausted(str(network))
    # without a limit, a clock that went back does not matter either
    until_ms = reclaim.now_ms - after_ms if after_ms else (max(counted)[0] + 1) * HOUR_MS
    if min(counted)[0] * HOUR_MS > until_ms:
        raise AddressRecentlyHeld(str(network), after_ms)
    if reclaim.share is not None:
        raise TokenShareReached(str(network), reclaim.share)
    long = [
        (binding.idle_since_seq, node_id)
        for node_id, binding in items_of(bindings)
        if binding.idle_since_ms <= until_ms and is_reclaimable(network, binding)
    ]
    if not long and after_ms:
        raise AddressRecentlyHeld(str(network), after_ms)
    if not long:
        raise AddressPoolExhausted(str(network))
    return min(long)[1]
