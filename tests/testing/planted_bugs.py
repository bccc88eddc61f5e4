"""Realistic bugs, each planted by replacing a function of the network controller for a while."""

import asyncio
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from rpds import HashTrieMap, Queue

import nc.replica.batch
import nc.replica.replay
from eventlog.testing import SimulatedDisk
from nc.domain import (
    addresses,
    bindings,
    decide,
    expiry,
    links,
    nodes,
    redeeming,
    tokens,
)
from nc.domain.codec import snapshot
from nc.domain.errors import ListedNodeUnknown
from nc.domain.events import Entry, Event, ExpiryChanged, pb
from nc.domain.evolve import evolve, evolve_entries
from nc.domain.network import Network
from nc.replica.queue import CommandQueue
from nc.replica.replica import Replica
from nc.replica.timeline import Timeline
from nc.rpc import controller, permissions
from nc.rpc.controller import Controller
from nc.testing import InProcess
from tests.testing import replica_seams

Patch = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Bug:
    """A mistake that could be made.

    Attributes:
        name: what is wrong.
        plant: makes it so.
        laws: those that it breaks; which one shows first is chance.
        target: where it is looked for.
    """

    name: str
    plant: Patch
    laws: frozenset[str]
    target: Callable[[], InProcess] = InProcess


BUGS: list[Bug] = []


def bug(*laws: str, **target: bool) -> Callable[[Patch], Patch]:
    """A bug: its name is the function's."""

    def declare(plant: Patch) -> Patch:
        name = re.sub(r" s\b", "'s", plant.__name__.replace("_", " "))
        BUGS.append(Bug(name, plant, frozenset(laws), lambda: InProcess(**target)))
        return plant

    return declare


def everywhere(patch: pytest.MonkeyPatch, old: Any, new: Any) -> None:
    """Replace a function under every name that a module of ours knows it by."""
    for module in [m for name, m in sys.modules.items() if name.startswith("nc.")]:
        for name, value in list(vars(module).items()):
            if value is old:
                patch.setattr(module, name, new)


@bug(
    "an expired bootstrap token is refused",
    "an expired node token is refused",
    "a revoked certificate opens nothing",
)
def expiry_is_off_by_one(patch: pytest.MonkeyPatch) -> None:
    """A token still works in its last millisecond."""
    everywhere(patch, expiry.has_passed, lambda at_ms, now_ms: 0 < at_ms < now_ms)


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
    "an acknowledged change is in the log once",
    "an acknowledged enrolment is never forgotten",
    "unregister is final",
    "a bootstrap token serves until it expires",
    "an expired node token is refused",
    "a later expiry revives a node",
    "an expired bootstrap token is refused",
    "the server starts again",
    "a certificate ends when the log says",
)
def reply_before_the_append_is_durable(patch: pytest.MonkeyPatch) -> None:
    """Callers are answered while the disk still works."""
    append, commit = Timeline._append, Replica._commit
    queues: dict[Timeline, CommandQueue] = {}

    async def known(self: Replica) -> None:
        queues[self._timeline] = self.queue
        await commit(self)

    async def hasty(self: Timeline, decided: Any) -> None:
        before, self.state = self.state, decided.state
        for waiting, outcome in zip(list(queues[self]), decided.outcomes, strict=False):
            if isinstance(outcome, list) and not waiting.reply.done():
                waiting.reply.set_result(outcome)
        await asyncio.sleep(0)
        self.state = replace(decided.state, seq=before.seq)
        try:
            await append(self, decided)
        finally:
            self.state = decided.state

    patch.setattr(Replica, "_commit", known)
    patch.setattr(Timeline, "_append", hasty)


@bug(
    "an acknowledged enrolment is never forgotten",
    "the server starts again",
    "unregister is final",
    "a bootstrap token serves until it expires",
    "an expired node token is refused",
    "an acknowledged change is in the log once",
    "a later expiry revives a node",
    "an expired bootstrap token is refused",
)
def appends_are_never_synced(patch: pytest.MonkeyPatch) -> None:
    """What is written is not waited for."""
    patch.setattr(SimulatedDisk, "fdatasync", lambda _self, _fd: None)


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


@bug(
    "states move along the machine",
    "who is gone holds nothing",
    "a bootstrap token serves until it expires",
    on_disk=False,
    rival=True,
)
def a_conflict_is_not_decided_again(patch: pytest.MonkeyPatch) -> None:
    """What was decided before another replica wrote is appended after it, as it was."""
    replica_seams.plant(patch, decide=replica_seams.AtRetry(replica_seams.same_entries))


@bug(
    "an acknowledged enrolment is never forgotten",
    "unregister is final",
    "an expired node token is refused",
    "connected means one live link",
    "an address stays with its node",
    "answers are never stale",
)
def reads_are_stale(patch: pytest.MonkeyPatch) -> None:
    """Queries are answered from the state before the newest."""
    commit = Replica._commit

    async def remember(self: Any) -> None:
        self.before = self._timeline.state
        await commit(self)

    patch.setattr(Replica, "_commit", remember)
    old = property(lambda self: getattr(self, "before", self._timeline.state))
    original = Controller.check_conn_state

    def stale(self: Any, request: Any, call: Any) -> Any:
        patch.setattr(Replica, "state", old)
        try:
            return original(self, request, call)
        finally:
            patch.setattr(Replica, "state", property(lambda self: self._timeline.state))

    patch.setattr(Controller, "check_conn_state", stale)


@bug("replay equals live", "unregister is final")
def an_unregistered_token_works_again_after_a_crash(patch: pytest.MonkeyPatch) -> None:
    """The fold of a replay skips that a node left; the running server knew."""

    def forgetful(state: Any, entries: Iterable[Entry]) -> Any:
        read = list(entries)
        folded = evolve_entries(state, read)
        for event in (event for entry in read for event in entry.events):
            if event.HasField("unregistered"):
                back = nodes.Node("", 0)
                folded = replace(
                    folded, nodes=folded.nodes.insert(event.unregistered.node_id, back)
                )
        return folded

    patch.setattr(nc.replica.replay, "evolve_entries", forgetful)


@bug("an expired bootstrap token is refused")
def an_expired_bootstrap_token_is_accepted(patch: pytest.MonkeyPatch) -> None:
    """Only the sweep ends a token's life."""
    patch.setattr(tokens, "has_passed", lambda *_: False)


@bug(
    "a refused command changes nothing",
    "who may call what",
    "an acknowledged enrolment is never forgotten",
    "an expired node token is refused",
)
def a_list_is_applied_up_to_the_stranger(patch: pytest.MonkeyPatch) -> None:
    """UpdateSensorExpireTime changes what comes before the unknown token."""
    original = Replica.submit

    async def by_halves(self: Any, command: Any, origin: Any, **more: Any) -> Any:
        if isinstance(command, nodes.SetExpiries):
            known = self._timeline.state.nodes
            for position, (node_id, _) in enumerate(command.expiries, start=1):
                if node_id not in known:
                    some = replace(command, expiries=command.expiries[: position - 1])
                    await original(self, some, origin)
                    raise ListedNodeUnknown(position)
        return await original(self, command, origin, **more)

    patch.setattr(Replica, "submit", by_halves)


@bug("an expired node token is refused", "replay equals live")
def a_snapshot_forgets_expiries(patch: pytest.MonkeyPatch) -> None:
    """A node's expiry is not written."""
    original = snapshot._nodes

    def forgetful(*arguments: Any) -> Any:
        part = original(*arguments)
        part.expires_at_ms[:] = [0] * len(part.expires_at_ms)
        return part

    patch.setattr(snapshot, "_nodes", forgetful)


@bug("replay equals live", "an address stays with its node")
def a_snapshot_forgets_who_holds_what(patch: pytest.MonkeyPatch) -> None:
    """The addresses that rest are not written."""
    patch.setattr(snapshot, "_slices", _without_addresses(snapshot._slices))


def _without_addresses(original: Any) -> Any:
    def slices(entries: Any) -> Any:
        return iter(()) if isinstance(entries, Queue) else original(entries)

    return slices


@bug("replay equals live")
def a_replay_differs_from_live(patch: pytest.MonkeyPatch) -> None:
    """The running server folds a release otherwise than a replay does."""
    live = evolve

    def otherwise(state: Any, events: list[Event], at_ms: int) -> Any:
        folded = live(state, events, at_ms)
        if any(event.HasField("address_released") for event in events):
            folded = replace(folded, addresses=replace(folded.addresses, released=Queue()))
        return folded

    patch.setattr(nc.replica.batch, "evolve", otherwise)


@bug("a refused command changes nothing", "who is gone holds nothing")
def a_refused_command_appends_an_event(patch: pytest.MonkeyPatch) -> None:
    """A list with an unknown node is recorded all the same."""
    original = decide.decide

    def talkative(state: Any, command: Any) -> list[Event]:
        if isinstance(command, nodes.SetExpiries):
            for node_id, at_ms in command.expiries:
                if node_id not in state.nodes:
                    changed = ExpiryChanged(node_id=node_id, expires_at_ms=at_ms)
                    return [Event(expiry_changed=changed)]
        return original(state, command)

    patch.setattr(nc.replica.batch, "decide", talkative)
    submit = Replica.submit

    async def and_refuses(self: Any, command: Any, origin: Any, **more: Any) -> Any:
        unknown = isinstance(command, nodes.SetExpiries) and any(
            node_id not in self._timeline.state.nodes for node_id, _ in command.expiries
        )
        events = await submit(self, command, origin, **more)
        if unknown:
            raise ListedNodeUnknown(1)
        return events

    patch.setattr(Replica, "submit", and_refuses)


@bug("the server's own node is fixed")
def the_server_can_expire(patch: pytest.MonkeyPatch) -> None:
    """`reserverd` is a node like any other."""
    patch.setattr(controller, "SERVER_NODE_TOKEN", "reserved")  # as one would spell it


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
