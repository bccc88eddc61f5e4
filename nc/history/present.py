"""Sentences about invitations, and about what is now, for `nc.history.explain`. Pure."""

from collections.abc import Callable
from typing import Any, Final

from nc.domain.events import pb
from nc.domain.expiry import has_passed
from nc.domain.state import State
from nc.text import moment


def _redeemed(event: Any) -> str:
    where = f" from {event.peer_address}" if event.peer_address else ""
    return f"it was redeemed by {event.replica_id}{where}, which has the cluster's keys since"


def _ended(event: Any) -> str:
    if event.reason == pb.INVITATION_END_REASON_REVOKED:
        return "it was withdrawn: nobody can redeem it any more"
    return "it was forgotten: it had expired a day before"


INVITATION_WORDS: Final[dict[str, Callable[[Any], str]]] = {
    "replica_invited": lambda event: (
        f"the invitation was issued, good until {moment(event.expires_at_ms)}"
    ),
    "invitation_redeemed": _redeemed,
    "invitation_ended": _ended,
}


def invitation_sentence(state: State, invitation_id: str, now_ms: int) -> str:
    invitation = state.membership.invitations.get(invitation_id)
    if invitation is None:
        return "the invitation is not remembered any more"
    verb = "expired" if has_passed(invitation.expires_at_ms, now_ms) else "expires"
    by = f"was redeemed by {invitation.replica_id}" if invitation.is_redeemed else "is unused"
    return f"the invitation {by}, and {verb} at {moment(invitation.expires_at_ms)}"


def token_sentence(state: State, token_id: str, now_ms: int) -> str:
    token = state.tokens.get(token_id)
    if token is None:
        return "the bootstrap token is not remembered any more"
    users = sum(node.token_id == token_id for node in state.nodes.values())
    nodes = "1 node that came with it is" if users == 1 else f"{users} nodes that came with it are"
    ending = "was revoked" if token.is_revoked else expiry_clause(token.expires_at_ms, now_ms)
    return f"the bootstrap token {ending}; {nodes} registered"


def expiry_clause(expires_at_ms: int, now_ms: int) -> str:
    if expires_at_ms == 0:
        return "never expires"
    verb = "expired" if has_passed(expires_at_ms, now_ms) else "expires"
    return f"{verb} at {moment(expires_at_ms)}"
