"""Planted bugs about links and addresses: which link is a node's, and who holds which address."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from rpds import HashTrieMap

from nc.domain import addresses, bindings, links, nodes
from nc.domain.events import Event, pb
from nc.domain.network import Network
from tests.testing.planting import Bug, into

BUGS: list[Bug] = []
bug = into(BUGS)


@bug("some order of the commands explains every answer")
def address_is_reused_too_early(patch: pytest.MonkeyPatch) -> None:
    """What was released last is given out first, before fresh addresses."""
    free = addresses.free_addresses

    def eager(pool: addresses.Addresses) -> Iterable[str]:
        yield from reversed(list(pool.released))
        yield from free(pool)

    patch.setattr(addresses, "free_addresses", eager)


@bug("no two nodes hold one address", "some order of the commands explains every answer")
def two_nodes_get_one_address(patch: pytest.MonkeyPatch) -> None:
    """The pool forgets that the last address was taken."""
    bound = addresses.evolve_bound

    def forgetful(draft: Any, event: Any, *idle: Any) -> None:
        before = draft.next_slot
        bound(draft, event, *idle)
        draft.next_slot = before

    patch.setattr(addresses, "evolve_bound", forgetful)


@bug(
    "expiry cuts a link for good",
    "some order of the commands explains every answer",
    "states move along the machine",
    "who is gone holds nothing",
)
def a_state_change_is_lost_at_unregister(patch: pytest.MonkeyPatch) -> None:
    """UnRegister does not say that the link is gone."""
    patch.setattr(nodes, "drop", lambda *_: [])


@bug("connected means one live link", "states move along the machine")
def a_state_change_is_lost_at_takeover(patch: pytest.MonkeyPatch) -> None:
    """A newer link begins without an end of the older one."""
    original = links.decide_accept

    def forgetful(*arguments: Any) -> list[Event]:
        return original(*arguments)[-1:]

    patch.setattr(links, "decide_accept", forgetful)


@bug(
    "an old link's end does not touch a newer one",
    "connected means one live link",
    "some order of the commands explains every answer",
)
def a_late_drop_hurts_the_newer_link(patch: pytest.MonkeyPatch) -> None:
    """Whatever link is closed, the node becomes idle."""

    def careless(now: Any, command: links.DropLink) -> list[Event]:
        return links.drop(now, command.node_id, command.reason)

    patch.setattr(links, "decide_drop", careless)


@bug("some order of the commands explains every answer")
def an_old_link_can_still_shake_hands(patch: pytest.MonkeyPatch) -> None:
    """The takeover is forgotten while the older link is being greeted."""
    original = links.decide_hand_over

    def careless(now: Any, pool: Any, reclaim: Any, command: links.HandOverAddress) -> list[Event]:
        current = links.link_of(now, command.node_id).link_id or command.link_id
        return original(now, pool, reclaim, replace(command, link_id=current))

    patch.setattr(links, "decide_hand_over", careless)


@bug("an address stays with its node", "some order of the commands explains every answer")
def an_address_changes_at_reconnect(patch: pytest.MonkeyPatch) -> None:
    """Every handshake takes the next address."""
    original = addresses.bind

    def restless(pool: addresses.Addresses, node_id: str, *rest: Any) -> list[Event]:
        events = addresses.release(pool, node_id, pb.ADDRESS_RELEASE_REASON_NETWORK_CHANGED)
        bare = replace(pool, by_node=pool.by_node.discard(node_id))
        return (
            [*events, *original(bare, node_id, *rest)] if events else original(pool, node_id, *rest)
        )

    patch.setattr(links, "bind", restless)


@bug(
    "connected means one live link",
    "no link outlives its server",
    "some order of the commands explains every answer",
)
def links_survive_a_crash(patch: pytest.MonkeyPatch) -> None:
    """The next start believes the log about links that are gone."""
    from nc.domain import replicas  # noqa: PLC0415 - beside what is done with it

    patch.setattr(replicas, "drop_owned", lambda *_: [])


@bug("the longest idle gives its address up")
def the_wrong_node_loses_its_address(patch: pytest.MonkeyPatch) -> None:
    """The node that has been idle for the shortest time gives its address up."""
    original = bindings.longest_idle

    def shortest(
        held: bindings.Bindings,
        hours: "HashTrieMap[int, int]",
        network: Network,
        reclaim: bindings.Reclaim,
    ) -> str:
        original(held, hours, network, reclaim)  # which refuses if no node is idle
        idle = [
            (binding.idle_since_seq, node_id)
            for node_id, binding in held.items()
            if bindings.is_reclaimable(network, binding)
        ]
        return max(idle)[1]

    patch.setattr(addresses, "longest_idle", shortest)
