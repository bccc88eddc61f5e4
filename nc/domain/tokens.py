"""The bootstrap-token aggregate: which tokens admit machines, and until when.

A token is issued once, redeemed any number of times until it expires, and leaves memory when the
sweep records that it has. Ids are HMACs: no token itself reaches this package.
"""

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from rpds import HashTrieMap

from nc.contract import DEFAULT_LIFETIME_MINUTES
from nc.domain.errors import (
    BootstrapTokenExpired,
    BootstrapTokenUnknown,
    IdTaken,
    LifetimeTooLong,
)
from nc.domain.events import Certificate, Event, NodeRegistered, TokenExpired, TokenIssued
from nc.domain.expiry import NEVER, has_passed
from nc.domain.nodes import Nodes
from nc.domain.transient_map import TransientMap

LONGEST_LIFETIME_MINUTES = 10 * 365 * 24 * 60  # ten years: more is a mistake in the unit

# An expired token is remembered this long, so that the answer is "expired" and not "unknown".
EXPIRED_TOKEN_RETENTION_MS = 24 * 60 * 60 * 1000


class Token(NamedTuple):
    expires_at_ms: int  # 0: never


Tokens: TypeAlias = "HashTrieMap[str, Token]"  # by token id
TransientTokens: TypeAlias = TransientMap[str, Token]


@dataclass(frozen=True, slots=True)
class IssueToken:
    token_id: str
    lifetime_minutes: int  # 0: the default; negative: it never expires
    now_ms: int


@dataclass(frozen=True, slots=True)
class RedeemToken:
    token_id: str
    node_id: str
    certificates: tuple[Certificate, ...]
    now_ms: int


@dataclass(frozen=True, slots=True)
class ForgetExpiredTokens:
    """Forget those of these tokens that expired longer ago than the retention.

    The caller passes some ids at a time, since checking all would block the event loop.
    """

    token_ids: tuple[str, ...]
    now_ms: int


def require_live(tokens: Tokens, token_id: str, now_ms: int) -> Token:
    """The token, if it can be redeemed at this moment.

    Raises:
        BootstrapTokenUnknown: it was never issued, or was forgotten.
        BootstrapTokenExpired: its expiry has passed.
    """
    token = tokens.get(token_id)
    if token is None:
        raise BootstrapTokenUnknown
    if has_passed(token.expires_at_ms, now_ms):
        raise BootstrapTokenExpired(token.expires_at_ms, now_ms)
    return token


def evolve_issued(tokens: TransientTokens, event: TokenIssued) -> None:
    tokens[event.token_id] = Token(event.expires_at_ms)


def evolve_expired(tokens: TransientTokens, event: TokenExpired) -> None:
    tokens.discard(event.token_id)


def decide_issue(tokens: Tokens, command: IssueToken) -> list[Event]:
    """Issue a token for the lifetime asked for.

    Raises:
        LifetimeTooLong: it is longer than ten years.
        IdTaken: another token has this id.
    """
    minutes = command.lifetime_minutes
    if minutes > LONGEST_LIFETIME_MINUTES:
        raise LifetimeTooLong(minutes, LONGEST_LIFETIME_MINUTES)
    if command.token_id in tokens:
        raise IdTaken
    if minutes < 0:
        expires_at_ms = NEVER
    else:
        expires_at_ms = command.now_ms + (minutes or DEFAULT_LIFETIME_MINUTES) * 60_000
    issued = TokenIssued(token_id=command.token_id, expires_at_ms=expires_at_ms)
    return [Event(token_issued=issued)]


def decide_redeem(tokens: Tokens, nodes: Nodes, command: RedeemToken) -> list[Event]:
    """Register one node under a live token.

    Raises:
        BootstrapTokenUnknown: the token was never issued, or was forgotten.
        BootstrapTokenExpired: with the moment it expired, ms since the epoch.
        IdTaken: another node has this id.
    """
    require_live(tokens, command.token_id, command.now_ms)
    if command.node_id in nodes:
        raise IdTaken
    registered = NodeRegistered(
        node_id=command.node_id, token_id=command.token_id, certificates=command.certificates
    )
    return [Event(node_registered=registered)]


def decide_forget(tokens: Tokens, command: ForgetExpiredTokens) -> list[Event]:
    horizon_ms = command.now_ms - EXPIRED_TOKEN_RETENTION_MS
    expired = sorted(  # the sweep walks a map, and equal maps may differ in their order
        token_id
        for token_id in set(command.token_ids)
        if (token := tokens.get(token_id)) and has_passed(token.expires_at_ms, horizon_ms)
    )
    return [Event(token_expired=TokenExpired(token_id=token_id)) for token_id in expired]
