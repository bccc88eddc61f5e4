"""Planted bugs about who may do what, and until when."""

from typing import Any

import pytest
from rpds import HashTrieMap

from nc.domain import expiry, nodes, redeeming, tokens
from nc.domain.events import Event
from nc.rpc import controller, permissions
from tests.testing.planting import Bug, everywhere, into

BUGS: list[Bug] = []
bug = into(BUGS)


@bug(
    "an expired bootstrap token is refused",
    "an expired node token is refused",
    "a revoked certificate opens nothing",
)
def expiry_is_off_by_one(patch: pytest.MonkeyPatch) -> None:
    """A token still works in its last millisecond."""
    everywhere(patch, expiry.has_passed, lambda at_ms, now_ms: 0 < at_ms < now_ms)


@bug("an expired bootstrap token is refused")
def an_expired_bootstrap_token_is_accepted(patch: pytest.MonkeyPatch) -> None:
    """Only the sweep ends a token's life."""
    patch.setattr(tokens, "has_passed", lambda *_: False)


@bug("the server's own node is fixed")
def the_server_can_expire(patch: pytest.MonkeyPatch) -> None:
    """`reserverd` is a node like any other."""
    patch.setattr(controller, "SERVER_NODE_TOKEN", "reserved")  # as one would spell it


@bug(
    "only dead tokens are forgotten",
    "every mistake has its own message",
    "a bootstrap token serves until it expires",
)
def the_sweep_forgets_a_live_token(patch: pytest.MonkeyPatch) -> None:
    """The retention is added where it should be taken away."""
    patch.setattr(tokens, "EXPIRED_TOKEN_RETENTION_MS", -tokens.EXPIRED_TOKEN_RETENTION_MS)


@bug("an expired node token is refused", "some order of the commands explains every answer")
def an_expired_node_is_let_in_until_the_sweep(patch: pytest.MonkeyPatch) -> None:
    """A query does not look at the time."""
    patch.setattr(nodes, "has_passed", lambda *_: False)


@bug(
    "an acknowledged enrolment is never forgotten",
    "certificates are renewed for a node's own key",
    "some order of the commands explains every answer",
    "a later expiry revives a node",
)
def a_revived_node_stays_refused(patch: pytest.MonkeyPatch) -> None:
    """An expiry can be brought forward only."""
    original = nodes.evolve_expiry_changed

    def only_sooner(draft: Any, event: Any) -> None:
        node = draft.get(event.node_id)
        if node is None or node.expires_at_ms == 0 or 0 < event.expires_at_ms < node.expires_at_ms:
            original(draft, event)

    patch.setattr(nodes, "evolve_expiry_changed", only_sooner)


@bug("expiry cuts a link for good")
def a_revived_node_is_still_connected(patch: pytest.MonkeyPatch) -> None:
    """Its link was not dropped when it expired, since the sweep had not come by."""
    original = nodes.decide_set_expiries

    def lenient(known: Any, now: Any, command: nodes.SetExpiries) -> list[Event]:
        later = [expiry for expiry in command.expiries if not expiry.expires_at_ms]
        events = original(known, now, command)
        if len(later) == len(command.expiries):
            events = [event for event in events if not event.HasField("state_changed")]
        return events

    patch.setattr(nodes, "decide_set_expiries", lenient)


@bug("who may call what")
def a_node_may_unregister_another(patch: pytest.MonkeyPatch) -> None:
    """Who is a member may do what members may, to anybody."""
    patch.setattr(controller, "require_self", lambda *_: None)


@bug("who may call what")
def the_certificate_of_who_is_gone_is_accepted(patch: pytest.MonkeyPatch) -> None:
    """Only what is known to have expired is refused."""
    original = permissions._require_live_node

    def lenient(caller: Any, state: Any, now_ms: int) -> None:
        if caller.node_id in state.nodes:
            original(caller, state, now_ms)

    patch.setattr(permissions, "_require_live_node", lenient)


@bug("a bootstrap token serves until it expires")
def a_token_serves_once(patch: pytest.MonkeyPatch) -> None:
    """A bootstrap token is used up by its first node."""
    original = redeeming.decide_redeem

    def once(
        known: Any, there: Any, gone: Any, names: Any, command: tokens.RedeemToken
    ) -> list[Event]:
        if any(node.token_id == command.token_id for node in there.values()):
            known = HashTrieMap()
        return original(known, there, gone, names, command)

    patch.setattr(redeeming, "decide_redeem", once)
