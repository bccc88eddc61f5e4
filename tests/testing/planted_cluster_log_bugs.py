"""Planted bugs about a cluster's log: its snapshots, and what several servers write and read."""

import asyncio
from copy import copy
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from eventlog import EventLog
from eventlog.writer import SegmentWriter
from nc.domain.administrators import AddAdministrator
from nc.domain.codec.records import entries_of
from nc.domain.events import pb
from nc.domain.evolve import evolve_entries
from nc.domain.state import State
from nc.replica.batch import Decided
from nc.replica.decide_and_append import Timeline
from nc.replica.replay import Observer, replay
from nc.replica.replica import Replica
from nc.rpc.controller import Controller
from nc.server import tasks
from nc.server.membership import Membership
from tests.testing import replica_seams
from tests.testing.cluster_planting import A_LINK_TOO_MANY, LOST_PACKETS, ClusterBug, into

BUGS: list[ClusterBug] = []
bug = into(BUGS)


@bug(
    "a start finds what was left",
    "a recorded digest is that of its event",
    "states move along the machine",
    "replay equals live",
)
def a_snapshot_races_an_append(patch: pytest.MonkeyPatch) -> None:
    """It holds the state from before, under the number of the state now."""
    commit, before = Replica._commit, {}

    async def remembering(self: Replica) -> None:
        before[self] = self.state
        await commit(self)

    async def racing(self: Replica) -> None:
        if self.is_writable and self.snapshots.is_due(self.state):
            place = await self._mark()
            if place is not None:
                self.snapshots.begin(replace(before[self], seq=place.last_seq), place)

    patch.setattr(Replica, "_commit", remembering)
    patch.setattr(Replica, "_snapshot_if_due", racing)


@bug(
    "nothing crashes",
    "a node has one link at the most",
    "the hub's links are the log's",
    "every live agent is connected again",
)
def a_full_disk_at_a_snapshot_ends_the_writer(patch: pytest.MonkeyPatch) -> None:
    """What marking the log raises there is not caught, and no command is answered any more."""

    async def unguarded(self: Replica) -> None:
        if self.is_writable and self.snapshots.is_due(self.state):
            place = await self._log.write_sync_marker()
            self.snapshots.begin(self.state, place)

    patch.setattr(Replica, "_snapshot_if_due", unguarded)


@bug(*A_LINK_TOO_MANY, "a start finds what was left", is_shared=True)
def a_server_does_not_follow_the_log(patch: pytest.MonkeyPatch) -> None:
    """It reads what others wrote when it next writes itself."""

    async def idle(*_: object) -> None:
        await asyncio.Event().wait()

    patch.setattr(tasks, "follow_log", idle)


@bug(*A_LINK_TOO_MANY, *LOST_PACKETS, is_shared=True)
def what_another_replica_ends_lives_on_here(patch: pytest.MonkeyPatch) -> None:
    """Its events are folded in, and the hub does not learn of them."""
    replica_seams.plant(patch, replay=lambda log, state, _: replay(log, state))


@bug(
    *A_LINK_TOO_MANY,
    "no two nodes hold one address",
    "states move along the machine",
    "an old link's end does not touch a newer one",
    "who is gone holds nothing",
    "no link outlives its server",
    "only dead tokens are forgotten",
    "only the leader appends",
    "one leader after the other acknowledges",
    "nothing crashes",
    is_shared=True,
)
def a_conflict_is_not_decided_again(patch: pytest.MonkeyPatch) -> None:
    """What was decided before is written after what the other replica wrote."""
    replica_seams.plant(patch, decide=replica_seams.AtRetry(replica_seams.same_entries))


@bug(
    "a start finds what was left",
    "a recorded digest is that of its event",
    "no two nodes hold one address",
    "replay equals live",
    "servers on one log agree",
    is_shared=True,
)
def an_entry_of_another_is_folded_twice(patch: pytest.MonkeyPatch) -> None:
    """The last one that was missed; the sequence number is right all the same."""

    def twice(log: EventLog, state: State, observer: Observer | None) -> State:
        folded = replay(log, state, observer)
        for record in list(log.read(state.seq))[-1:]:
            last = entries_of(record)[-1]
            folded = replace(evolve_entries(folded, [last]), seq=folded.seq)
        return folded

    replica_seams.plant(patch, replay=twice)


@bug("nothing crashes", "a start finds what was left", is_shared=True)
def a_conflict_ends_the_writer(patch: pytest.MonkeyPatch) -> None:
    """It is taken for a failure of the log."""

    class DecidedAgain(Exception):
        pass

    def anxious(_state: State, _known: Decided) -> Decided:
        raise DecidedAgain

    replica_seams.plant(patch, decide=replica_seams.AtRetry(anxious))


@bug(
    "no server answers with what is past",
    "answers are never stale",
    "an address stays with its node",
    "an acknowledged enrolment is never forgotten",
    "unregister is final",
    "an expired node token is refused",
    "a later expiry revives a node",
    "a list is applied as a whole or not at all",
    is_shared=True,
)
def what_was_read_at_a_conflict_is_told_too_late(patch: pytest.MonkeyPatch) -> None:
    """It is decided on at once, but queries see it only with the next write."""
    catch_up, commit, check = Timeline.catch_up, Replica._commit, Controller.check_conn_state
    before: dict[Timeline, State] = {}

    def remembering(self: Timeline) -> None:
        before.setdefault(self, self.state)
        catch_up(self)

    async def forgetting(self: Replica) -> None:
        before.pop(self._timeline, None)
        await commit(self)

    def late(self: Controller, request: Any, call: Any) -> Any:
        view, replica = copy(self), self._replica
        known = SimpleNamespace(state=before.get(replica._timeline, replica.state))
        patch.setattr(view, "_replica", known)
        return check(view, request, call)

    patch.setattr(Timeline, "catch_up", remembering)
    patch.setattr(Replica, "_commit", forgetting)
    patch.setattr(Controller, "check_conn_state", late)


@bug("a start finds what was left")
def a_segment_is_sealed_with_remains_in_it(patch: pytest.MonkeyPatch) -> None:
    """Behind its last record, of one that had no room."""
    start = SegmentWriter._start_segment

    def careless(self: SegmentWriter, record_bytes: int) -> None:
        if self.segments:
            self._disk.pwrite(self._fd, b"remains", self.end.offset)
        start(self, record_bytes)

    patch.setattr(SegmentWriter, "_start_segment", careless)


@bug("nothing crashes", "a start finds what was left", is_shared=True)
def a_certificate_that_is_recorded_already_ends_the_start(patch: pytest.MonkeyPatch) -> None:
    """Two servers begin with the same one, or the answer to a first try was lost."""

    async def touchy(self: Membership, method: str) -> None:
        installed = self._parts.installed()
        known = self._replica.state.administrators.by_serial
        if installed is not None and installed.certificate.serial not in known:
            role = pb.ADMINISTRATOR_ROLE_ADMIN
            command = AddAdministrator(installed.name, role, installed.certificate)
            await self._wiring.own_changes.submit(command, method)

    patch.setattr(Membership, "record_installed", touchy)
