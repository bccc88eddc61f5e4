"""The bootstrap-token aggregate: which tokens admit machines, how many, and until when.

A token is issued once, and redeemed until it expires, is revoked, or was used as often as it may
be. It leaves memory when the sweep records that it has; its nodes stay. Ids are HMACs: no token
itself reaches this package.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from rpds import HashTrieMap

from nc.contract import DEFAULT_LIFETIME_MINUTES
from nc.domain.errors import (
    BootstrapTokenExpired,
    BootstrapTokenRevoked,
    BootstrapTokenUnknown,
    BootstrapTokenUsedUp,
    IdTaken,
    LifetimeTooLong,
    TokenNodesReached,
)
from nc.domain.events import (
    Certificate,
    Event,
    TokenExpired,
    TokenIssued,
    TokenRevoked,
)
from nc.domain.expiry import NEVER, has_passed
from nc.domain.nodes import Node
from nc.domain.profile import NO_FACTS, Facts, label_messages
from nc.domain.terms import NO_TERMS, Terms, require_terms, terms_in
from nc.domain.transient_map import TransientMap

LONGEST_LIFETIME_MINUTES = 10 * 365 * 24 * 60  # ten years: more is a mistake in the unit

# An expired token is remembered this long, so that the answer is "expired" and not "unknown".
EXPIRED_TOKEN_RETENTION_MS = 24 * 60 * 60 * 1000

_DAY_MS: Final = 24 * 60 * 60 * 1000


class Token(NamedTuple):
    expires_at_ms: int  # 0: never
    issued_at_ms: int = 0  # 0: not known
    revoked_at_ms: int | None = None  # None: it was not
    uses: int = 0
    nodes: int = 0  # its nodes that are registered now
    terms: Terms = NO_TERMS
    # Its current day: the 24 hours from a node that was registered after the day before.
    day_began_ms: int = 0
    enrolled: int = 0  # in that day, nodes that have left since included

    @property
    def is_revoked(self) -> bool:
        return self.revoked_at_ms is not None

    def is_over(self, now_ms: int) -> bool:
        """Whether it registers no machine any more, however many it has registered."""
        return self.is_revoked or has_passed(self.expires_at_ms, now_ms)


Tokens: TypeAlias = "HashTrieMap[str, Token]"  # by token id
TransientTokens: TypeAlias = TransientMap[str, Token]


@dataclass(frozen=True, slots=True)
class IssueToken:
    token_id: str
    lifetime_minutes: int  # 0: the default; negative: it never expires
    now_ms: int
    lifetime_s: int = 0  # instead of the minutes, if it is not 0
    terms: Terms = NO_TERMS


@dataclass(frozen=True, slots=True)
class RevokeToken:
    token_id: str


@dataclass(frozen=True, slots=True)
class RedeemToken:
    """Register a machine.

    Attributes:
        name: that the machine wants, or ""; its hostname is the next choice.
        key_sha256: hex, of the public key that the machine made; "": the server made it.
        attempt_id: hex, of the attempt to enrol, which may be repeated; "": it cannot be.
        max_nodes: how many nodes the server allows in all; 0: any number.
    """

    token_id: str
    node_id: str
    certificates: tuple[Certificate, ...]
    now_ms: int
    name: str = ""
    facts: Facts = NO_FACTS
    key_sha256: str = ""
    attempt_id: str = ""
    max_nodes: int = 0


@dataclass(frozen=True, slots=True)
class ForgetExpiredTokens:
    """Forget those of these tokens that expired, or were revoked, longer ago than the retention.

    The caller passes some ids at a time, since checking all would block the event loop.
    """

    token_ids: tuple[str, ...]
    now_ms: int


def require_token(tokens: Tokens, token_id: str) -> Token:
    """The token, whether or not it can be redeemed.

    Raises:
        BootstrapTokenUnknown: it was never issued, or was forgotten.
    """
    token = tokens.get(token_id)
    if token is None:
        raise BootstrapTokenUnknown
    return token


def require_live(tokens: Tokens, token_id: str, now_ms: int) -> Token:
    """The token, if it can be redeemed at this moment.

    Raises:
        BootstrapTokenUnknown: it was never issued, or was forgotten.
        BootstrapTokenRevoked: an administrator revoked it.
        BootstrapTokenExpired: its expiry has passed.
        BootstrapTokenUsedUp: it was used as often as it may be.
        TokenNodesReached: as many of its nodes are registered as may be.
    """
    token = require_token(tokens, token_id)
    if token.is_revoked:
        raise BootstrapTokenRevoked
    if has_passed(token.expires_at_ms, now_ms):
        raise BootstrapTokenExpired(token.expires_at_ms, now_ms)
    terms = token.terms
    if terms.max_uses and token.uses >= terms.max_uses:
        raise BootstrapTokenUsedUp(terms.max_uses)
    if terms.max_nodes and token.nodes >= terms.max_nodes:
        raise TokenNodesReached(terms.max_nodes)
    return token


def evolve_issued(tokens: TransientTokens, at_ms: int, event: TokenIssued) -> None:
    tokens[event.token_id] = Token(event.expires_at_ms, at_ms, terms=terms_in(event))


def evolve_revoked(tokens: TransientTokens, at_ms: int, event: TokenRevoked) -> None:
    token = tokens.get(event.token_id)
    if token is not None:
        tokens[event.token_id] = token._replace(revoked_at_ms=at_ms)


def evolve_expired(tokens: TransientTokens, event: TokenExpired) -> None:
    tokens.discard(event.token_id)


def evolve_registered(tokens: TransientTokens, at_ms: int, token_id: str) -> int:
    """Count another node of the token; returns which of the token's day it is, from 1.

    0 without a token, as of a node that an administrator registered again.
    """
    token = tokens.get(token_id)
    if token is None:
        return 0
    end_ms, issued_ms, revoked_ms, uses, nodes, terms, began_ms, enrolled = token
    if not began_ms <= at_ms < began_ms + _DAY_MS:
        began_ms, enrolled = at_ms, 0
    tokens[token_id] = Token(  # a third of the time of _replace
        end_ms, issued_ms, revoked_ms, uses + 1, nodes + 1, terms, began_ms, enrolled + 1
    )
    return enrolled + 1


def evolve_unregistered(tokens: TransientTokens, node: Node | None) -> None:
    """Count a node less for its token."""
    token = None if node is None else tokens.get(node.token_id)
    if node is not None and token is not None:
        tokens[node.token_id] = token._replace(nodes=token.nodes - 1)


def decide_issue(tokens: Tokens, command: IssueToken) -> list[Event]:
    """Issue a token for the lifetime asked for.

    Raises:
        LifetimeTooLong: it is longer than ten years.
        TokenLabelInvalid, NamePrefixInvalid, LabelInvalid, TooManyLabels: a term is not in order.
        IdTaken: another token has this id.
    """
    terms = command.terms
    require_terms(terms)
    issued = TokenIssued(
        token_id=command.token_id,
        expires_at_ms=_expiry_ms(command),
        label=terms.label,
        max_uses=terms.max_uses,
        max_nodes=terms.max_nodes,
        node_labels=label_messages(terms.node_labels),
        node_name_prefix=terms.node_name_prefix,
    )
    if command.token_id in tokens:
        raise IdTaken
    return [Event(token_issued=issued)]


def _expiry_ms(command: IssueToken) -> int:
    minutes, seconds = command.lifetime_minutes, command.lifetime_s
    if seconds > LONGEST_LIFETIME_MINUTES * 60:
        raise LifetimeTooLong(seconds, LONGEST_LIFETIME_MINUTES * 60, 1)
    if not seconds and minutes > LONGEST_LIFETIME_MINUTES:
        raise LifetimeTooLong(minutes, LONGEST_LIFETIME_MINUTES)
    lifetime_s = seconds or (minutes or DEFAULT_LIFETIME_MINUTES) * 60
    return NEVER if lifetime_s < 0 else command.now_ms + lifetime_s * 1000


def decide_revoke(tokens: Tokens, command: RevokeToken) -> list[Event]:
    """Revoke the token; no event if it is revoked. An expired one can be revoked, too.

    Raises:
        BootstrapTokenUnknown: it was never issued, or was forgotten.
    """
    token = require_token(tokens, command.token_id)
    if token.is_revoked:
        return []
    return [Event(token_revoked=TokenRevoked(token_id=command.token_id))]


def decide_forget(tokens: Tokens, command: ForgetExpiredTokens) -> list[Event]:
    """Forget those that are over, in the order of their times."""
    horizon_ms = command.now_ms - EXPIRED_TOKEN_RETENTION_MS
    over = sorted(
        (over_ms, token_id)
        for token_id in set(command.token_ids)
        if (token := tokens.get(token_id)) and has_passed(over_ms := _over_ms(token), horizon_ms)
    )
    return [Event(token_expired=TokenExpired(token_id=token_id)) for _, token_id in over]


def _over_ms(token: Token) -> int:
    """Since when the token cannot be redeemed; `NEVER` if it can be for ever."""
    revoked_ms, expires_at_ms = token.revoked_at_ms, token.expires_at_ms
    if revoked_ms is None:
        return expires_at_ms
    return revoked_ms if expires_at_ms == NEVER else min(revoked_ms, expires_at_ms)
