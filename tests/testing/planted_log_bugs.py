"""Planted bugs about the log: what is durable, replayed, in a snapshot, and answered."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from rpds import Queue

import nc.replica.batch
import nc.replica.replay
from eventlog.testing import SimulatedDisk
from nc.domain import decide, nodes
from nc.domain.codec import snapshot
from nc.domain.errors import ListedNodeUnknown
from nc.domain.events import Entry, Event, ExpiryChanged
from nc.domain.evolve import evolve, evolve_entries
from nc.replica.decide_and_append import Timeline
from nc.replica.queue import CommandQueue
from nc.replica.replica import Replica
from nc.rpc.controller import Controller
from tests.testing import replica_seams
from tests.testing.planting import Bug, into

BUGS: list[Bug] = []
bug = into(BUGS)


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
