"""Planted bugs about what operators ask for: tokens' terms, names, addresses, certificates."""

from dataclasses import replace
from typing import Any

import pytest
from rpds import HashTrieMap

from nc.domain import (
    addresses,
    administrators,
    assignments,
    bindings,
    departures,
    reclaiming,
    redeeming,
    terms,
    tokens,
    updates,
)
from nc.domain.codec import snapshot
from nc.domain.events import AddressBound, Event, pb
from nc.rpc import permissions
from tests.testing.planting import Bug, everywhere, into

BUGS: list[Bug] = []
bug = into(BUGS)

LET_IN = "a token lets in no more than its terms say"
REVOKED = "a revoked bootstrap token is refused"


@bug(REVOKED, LET_IN, "every mistake has its own message")
def a_revoked_bootstrap_token_is_accepted(patch: pytest.MonkeyPatch) -> None:
    """Its revocation is recorded, and nothing more."""
    patch.setattr(tokens, "evolve_revoked", lambda *_: None)


@bug(LET_IN)
def a_token_serves_once_too_often(patch: pytest.MonkeyPatch) -> None:
    """The first use is not counted."""
    original = tokens.evolve_registered

    def generous(draft: Any, at_ms: int, token_id: str) -> int:
        rank = original(draft, at_ms, token_id)
        token = draft.get(token_id)
        if token is not None and token.uses == 1 == token.nodes and token.terms.max_uses:
            draft[token_id] = token._replace(uses=0)
        return rank

    patch.setattr(tokens, "evolve_registered", generous)


@bug(LET_IN)
def a_token_s_cap_of_nodes_is_not_looked_at(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tokens, "terms_in", lambda event: terms.terms_in(event)._replace(max_nodes=0))


@bug("some order of the commands explains every answer")
def who_left_still_counts(patch: pytest.MonkeyPatch) -> None:
    """A token's cap of nodes is one of its uses."""
    patch.setattr(tokens, "evolve_unregistered", lambda *_: None)


@bug(LET_IN)
def the_server_s_cap_of_nodes_is_not_looked_at(patch: pytest.MonkeyPatch) -> None:
    original: Any = redeeming.decide_redeem

    def unlimited(*arguments: Any) -> Any:
        *state, command = arguments
        return original(*state, replace(command, max_nodes=0))

    patch.setattr(redeeming, "decide_redeem", unlimited)


@bug("replay equals live", REVOKED, LET_IN)
def a_snapshot_forgets_revocations(patch: pytest.MonkeyPatch) -> None:
    original = snapshot._terms

    def forgetful(index: int, token: Any) -> Any:
        return original(index, token._replace(revoked_at_ms=None))

    patch.setattr(snapshot, "_terms", forgetful)


@bug("no two nodes have one name")
def a_name_is_given_twice(patch: pytest.MonkeyPatch) -> None:
    """A rename does not look at the other nodes."""
    original = updates.decide_update

    def careless(there: Any, _names: Any, *rest: Any) -> list[Event]:
        return original(there, HashTrieMap(), *rest)

    patch.setattr(updates, "decide_update", careless)


@bug("a node is called what it was called")
def a_rename_loses_the_labels(patch: pytest.MonkeyPatch) -> None:
    original = updates.evolve_updated

    def forgetful(draft: Any, names: Any, event: Any) -> None:
        original(draft, names, event)
        node = draft.get(event.node_id)
        if node is not None and event.HasField("name"):
            draft[event.node_id] = node._replace(profile=node.profile._replace(labels=()))

    patch.setattr(updates, "evolve_updated", forgetful)


@bug("a node is called what it was called")
def newcomers_get_no_label_of_their_token(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(redeeming, "label_messages", lambda _: [])


@bug("a revoked certificate opens nothing")
def a_revoked_certificate_is_accepted(patch: pytest.MonkeyPatch) -> None:
    """As by a cache of callers that outlives the revocation."""
    patch.setattr(permissions, "_require_accepted", lambda *_: None)


@bug("a viewer reads and changes nothing")
def a_viewer_may_change_things(patch: pytest.MonkeyPatch) -> None:
    original = permissions.require

    def lenient(*arguments: Any, reads: bool, **more: Any) -> None:
        del reads
        original(*arguments, reads=True, **more)

    everywhere(patch, original, lenient)


@bug("an administrator is left")
def the_last_administrator_can_be_revoked(patch: pytest.MonkeyPatch) -> None:
    everyone = administrators.Administrator("everyone", pb.ADMINISTRATOR_ROLE_ADMIN, 0)
    original = administrators.decide_revoke

    def careless(known: Any, command: Any) -> list[Event]:
        more = replace(known, by_serial=known.by_serial.insert("0", everyone))
        return original(more, command)

    patch.setattr(administrators, "decide_revoke", careless)


@bug("a revoked certificate opens nothing")
def a_certificate_s_revocation_is_only_recorded(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(administrators, "evolve_revoked", lambda known, *_: known)


@bug("a revoked certificate opens nothing")
def a_certificate_that_has_ended_is_accepted(patch: pytest.MonkeyPatch) -> None:
    """On a connection that was opened before."""
    patch.setattr(permissions, "_require_valid_certificate", lambda *_: None)


@bug("some order of the commands explains every answer")
def a_certificate_that_has_ended_counts_as_an_administrator_s(patch: pytest.MonkeyPatch) -> None:
    """So that the last one can be revoked."""
    good = property(lambda self: lambda _now_ms: self.revoked_at_ms is None)
    patch.setattr(administrators.Administrator, "is_good", good)


@bug("an assigned address stays")
def an_assigned_address_is_reclaimed(patch: pytest.MonkeyPatch) -> None:
    """It is not remembered that an operator chose it."""
    original = addresses.evolve_bound

    def forgetful(draft: Any, event: Any, *idle: Any) -> None:
        bound = AddressBound(node_id=event.node_id, address=event.address)
        original(draft, bound, *idle)

    patch.setattr(addresses, "evolve_bound", forgetful)


@bug("no two nodes hold one address", "codes are the contract's")
def an_address_is_assigned_twice(patch: pytest.MonkeyPatch) -> None:
    """Its holder is not asked for."""
    original = assignments.decide_assign

    def careless(there: Any, gone: Any, links: Any, pool: Any, command: Any) -> list[Event]:
        return original(there, gone, links, replace(pool, holders=HashTrieMap()), command)

    patch.setattr(assignments, "decide_assign", careless)


@bug("the longest idle gives its address up")
def a_node_that_is_off_for_a_moment_loses_its_address(patch: pytest.MonkeyPatch) -> None:
    original: Any = bindings.longest_idle

    def impatient(*arguments: Any) -> Any:
        *pool, reclaim = arguments
        return original(*pool, reclaim._replace(after_ms=0))

    patch.setattr(addresses, "longest_idle", impatient)


@bug("a crowd of newcomers takes nothing away")
def newcomers_take_every_address(patch: pytest.MonkeyPatch) -> None:
    """A token's share is not looked at."""
    patch.setattr(reclaiming, "share_of", lambda network: network.slots)


@bug("unregister is final", "some order of the commands explains every answer")
def the_last_node_of_a_token_stays(patch: pytest.MonkeyPatch) -> None:
    """One is forgotten when all nodes of a token are unregistered."""
    original = departures.decide_unregister_of_token

    def careless(known: Any, there: Any, *rest: Any) -> list[Event]:
        members = [n for n, node in there.items() if node.token_id == rest[-1].token_id]
        return original(known, there.discard(max(members)) if members else there, *rest)

    patch.setattr(departures, "decide_unregister_of_token", careless)
