"""Which node, bootstrap token, administrator or invitation is meant by what an operator wrote."""

from bisect import bisect_left
from collections.abc import Callable
from itertools import islice, takewhile
from typing import Final, TypeVar

from rpds import HashTrieMap

from nc.domain import operator_errors as errors
from nc.domain.administrators import Administrators
from nc.domain.invitations import Invitation
from nc.domain.map_items import items_of
from nc.domain.names import shown_name
from nc.domain.replica_errors import ReplicaAmbiguous, ReplicaUnknown
from nc.domain.state import State

SHORTEST_PREFIX: Final = 4  # digits of an id that are enough to mean a node or token

_HEX: Final = frozenset("0123456789abcdef")
_SHOWN: Final = 4  # nodes that an ambiguous reference names
_MOST: Final = 1000  # ids with a prefix, which are counted

V = TypeVar("V")

# Turns a token into its id; a reference may be a token, which is hashed at once.
IdOf = Callable[[str], str]


def node_meant(state: State, reference: str, id_of: IdOf) -> str:
    """The id of a node, from its id or the beginning of it, its name, overlay address or token.

    In this order: what is an id is never looked for among the names. Capitals count in tokens
    alone. The first prefix after a node has changed costs O(nodes), the others O(log nodes).

    Raises:
        NodeReferenceUnknown: no node is meant.
        NodeReferenceAmbiguous: several are.
    """
    lower = reference.lower()
    if lower in state.nodes:
        return lower
    found = state.names.get(lower) or state.addresses.holder_of(reference)
    if found in state.nodes:
        return found
    if (by_token := id_of(reference)) in state.nodes:
        return by_token
    matching = _with_prefix(_node_ids, state.nodes, lower)
    if not matching:
        raise errors.NodeReferenceUnknown
    if len(matching) > 1:
        shown = [shown_name(state.nodes[each].profile.name, each) for each in matching[:_SHOWN]]
        raise errors.NodeReferenceAmbiguous(shown)
    return matching[0]


def token_meant(state: State, reference: str, id_of: IdOf) -> str:
    """The id of a bootstrap token, from its id or the beginning of it, or the token itself.

    Raises:
        TokenReferenceUnknown: no token is meant.
        TokenReferenceAmbiguous: several are.
    """
    lower = reference.lower()
    if lower in state.tokens:
        return lower
    if (by_token := id_of(reference)) in state.tokens:
        return by_token
    matching = _with_prefix(_token_ids, state.tokens, lower)
    if not matching:
        raise errors.TokenReferenceUnknown
    if len(matching) > 1:
        raise errors.TokenReferenceAmbiguous(len(matching))
    return matching[0]


def administrator_meant(administrators: Administrators, reference: str, now_ms: int) -> str:
    """The serial of the certificate that is meant by its serial, or by the name of a good one.

    Raises:
        AdministratorUnknown: none is meant.
        AdministratorAmbiguous: several good ones have this name.
    """
    if reference in administrators.by_serial:
        return reference
    matching = sorted(
        serial
        for serial, each in administrators.by_serial.items()
        if each.name == reference and each.is_good(now_ms)
    )
    if not matching:
        raise errors.AdministratorUnknown
    if len(matching) > 1:
        raise errors.AdministratorAmbiguous(matching)
    return matching[0]


def invitation_meant(invitations: "HashTrieMap[str, Invitation]", reference: str) -> str:
    """The id of an invitation, from it or the beginning of it.

    Raises:
        ReplicaUnknown: none is meant.
        ReplicaAmbiguous: several are.
    """
    if reference in invitations:
        return reference
    matching = sorted(each for each in invitations if each.startswith(reference))
    if not matching or len(reference) < SHORTEST_PREFIX:
        raise ReplicaUnknown
    if len(matching) > 1:
        raise ReplicaAmbiguous(len(matching))
    return matching[0]


class _SortedIds:
    """The ids of the map that was last asked for, in order: a request may have many prefixes.

    Several threads ask. Both values are replaced as one, so that no ids go with another map.
    """

    def __init__(self) -> None:
        self._last: tuple[object, list[str]] = (None, [])

    def of(self, mapping: "HashTrieMap[str, V]") -> list[str]:
        of, ids = self._last
        if of is not mapping:
            ids = sorted(each for each, _ in items_of(mapping))
            self._last = mapping, ids
        return ids


_node_ids, _token_ids = _SortedIds(), _SortedIds()


def _with_prefix(ids: _SortedIds, mapping: "HashTrieMap[str, V]", prefix: str) -> list[str]:
    if len(prefix) < SHORTEST_PREFIX or not _HEX.issuperset(prefix):
        return []
    ordered = ids.of(mapping)
    start = bisect_left(ordered, prefix)
    rest = islice(ordered, start, start + _MOST)
    return list(takewhile(lambda each: each.startswith(prefix), rest))
