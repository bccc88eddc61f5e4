"""Folds what happened to bootstrap tokens."""

from nc.domain.events import TokenExpired, TokenIssued
from nc.domain.tokens import Token
from nc.domain.transient_map import TransientMap

TokensDraft = TransientMap[str, Token]


def issued(tokens: TokensDraft, event: TokenIssued) -> None:
    """The token may be redeemed from now on."""
    tokens[event.token_id] = Token(event.expires_at_ms)


def expired(tokens: TokensDraft, event: TokenExpired) -> None:
    """The token is forgotten."""
    tokens.discard(event.token_id)
