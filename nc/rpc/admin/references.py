"""Which bootstrap token's nodes are meant: also of a forgotten one, whose nodes stay."""

from nc.domain.map_items import items_of
from nc.domain.operator_errors import TokenReferenceAmbiguous, TokenReferenceUnknown
from nc.domain.references import SHORTEST_PREFIX, IdOf, token_meant
from nc.domain.state import State


def token_of_nodes(state: State, reference: str, id_of: IdOf) -> str:
    """The id of a token that is known, or that a registered node came with. O(nodes).

    Raises:
        TokenReferenceUnknown: no token is meant.
        TokenReferenceAmbiguous: several are.
    """
    try:
        return token_meant(state, reference, id_of)
    except TokenReferenceUnknown:
        if len(reference) < SHORTEST_PREFIX:
            raise
        start, by_token = reference.lower(), id_of(reference)
        meant = {
            node.token_id
            for _, node in items_of(state.nodes)
            if node.token_id == by_token or node.token_id.startswith(start)
        }
        if not meant:
            raise
        if len(meant) > 1:
            raise TokenReferenceAmbiguous(len(meant)) from None
        return meant.pop()
