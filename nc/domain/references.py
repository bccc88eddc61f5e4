"""Which node, bootstrap token or administrator is meant by what an operator wrote."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final

from nc.domain.administrators import Administrators
from nc.domain.names import shown_name
from nc.domain.operator_errors import (
    AdministratorAmbiguous,
    AdministratorUnknown,
    NodeReferenceAmbiguous,
    NodeReferenceUnknown,
    TokenReferenceAmbiguous,
    TokenReferenceUnknown,
)
from nc.domain.state import State

SHORTEST_PREFIX: Final = 4  # digits of an id that are enough to mean a node or token

_HEX: Final = frozenset("0123456789abcdef")
_SHOWN: Final = 4  # nodes that an ambiguous reference names

# Turns a token into its id; a reference may be a token, which is hashed at once.
IdOf = Callable[[str], str]


def node_meant(state: State, reference: str, id_of: IdOf) -> str:
    """The id of a node, from its id or the beginning of it, its name, overlay address or token.

    In this order: what is an id is never looked for among the names. A prefix costs O(nodes), the
    others O(log nodes).

    Raises:
        NodeReferenceUnknown: no node is meant.
        NodeReferenceAmbiguous: several are.
    """
    if reference in state.nodes:
        return reference
    found = state.names.get(reference) or state.addresses.holder_of(reference)
    if found in state.nodes:
        return found
    if (by_token := id_of(reference)) in state.nodes:
        return by_token
    matching = _with_prefix(state.nodes, reference)
    if not matching:
        raise NodeReferenceUnknown
    if len(matching) > 1:
        shown = [shown_name(state.nodes[each].profile.name, each) for each in matching[:_SHOWN]]
        raise NodeReferenceAmbiguous(shown)
    return matching[0]


def token_meant(state: State, reference: str, id_of: IdOf) -> str:
    """The id of a bootstrap token, from its id or the beginning of it, or the token itself.

    Raises:
        TokenReferenceUnknown: no token is meant.
        TokenReferenceAmbiguous: several are.
    """
    if reference in state.tokens:
        return reference
    if (by_token := id_of(reference)) in state.tokens:
        return by_token
    matching = _with_prefix(state.tokens, reference)
    if not matching:
        raise TokenReferenceUnknown
    if len(matching) > 1:
        raise TokenReferenceAmbiguous(len(matching))
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
        raise AdministratorUnknown
    if len(matching) > 1:
        raise AdministratorAmbiguous(matching)
    return matching[0]


def _with_prefix(ids: Iterable[str], prefix: str) -> list[str]:
    if len(prefix) < SHORTEST_PREFIX or not _HEX.issuperset(prefix):
        return []
    return sorted(islice((each for each in ids if each.startswith(prefix)), 1000))
