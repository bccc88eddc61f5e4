"""The role of one replica among several: whether it leads, and whether it may answer now.

Puts the state machines of `nc.replica.leadership` and `nc.replica.leases` around a replica, and
gives them a clock. Knows no sockets: whoever has the connections passes on what comes, and asks
what is to be sent.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from eventlog.errors import LogBusy, LogLacking
from nc.clock import Clock
from nc.domain.errors import ElectionLost
from nc.domain.events import Event
from nc.domain.leadership import Leader, StandForElection
from nc.replica.batch import Origin
from nc.replica.errors import NotCurrent, OutcomeOpen, WriteRefused, refusal_for
from nc.replica.leadership import Candidate, Silences
from nc.replica.leases import NS, QUIET_S, FollowerLease, Granted, LeaderLeases
from nc.replica.shared import SharedReplica
from nc.replica.touch import CHANGE_WAIT_S, CURRENT_WAIT_S, Touch
from nc.replica.waiters import Waiters

# A leader whose lease has less than this left, or half of what an append gives it against replicas
# that nobody knows, appends a marker.
_RENEW_S: Final = 0.45
_RENEW_APPEND_S: Final = 30.0
_STAND_AGAIN_S: Final = 1.0  # after an attempt that the log was too busy for
_CONFIRM_AGAIN_S: Final = 0.1  # after one that has failed


class Role:
    """Used on the event loop, but for `may_answer`.

    Args:
        replica: whose role it is.
        replica_id: its own.
        clock: for the leases.
        records: how many records and markers are known of the log.
        confirm: appends a marker, and returns the last event before it.

    Attributes:
        leases: what is known of the followers; None while it does not lead.
        stands: it tries to be elected: it answers nothing and nobody.
        touch: for how long it is out of touch.
        events: wakes those that wait for another state.
        changed: called when it begins to lead, or to follow another one.
    """

    def __init__(
        self,
        replica: SharedReplica,
        replica_id: str,
        clock: Clock,
        records: Callable[[], int],
        confirm: Callable[[], Awaitable[int]],
    ) -> None:
        self.replica = replica
        self._replica_id = replica_id
        self._now_ns = clock.monotonic_ns
        self._records, self._confirm = records, confirm
        self.leases: LeaderLeases | None = None
        self.lease, self.silences = FollowerLease(), Silences()
        self.stands = self._is_over = False
        self.touch = Touch(clock.monotonic_ns)
        self.changed: Callable[[], None] = lambda: None
        self._candidate = Candidate(replica_id, replica.session, clock.monotonic_ns())
        self._valid = (0, 0)  # until when it may answer, with which event; one, for other threads
        self._answerable, self.events = Waiters(), Waiters()
        self._leader, self._records_seen = Leader(), 0
        self._confirming: asyncio.Task[None] | None = None
        self._before = (Leader(), replica.state.sessions, 0)  # when it last stood
        self._heard = set[str]()
        replica.acknowledge = self._acknowledge
        replica.elected = self._elected
        replica.observe(self.follow)

    def begin(self) -> None:
        """The replica has loaded its state, and follows the log from now on."""
        self._candidate = Candidate(self._replica_id, self.replica.session, self._now_ns())
        self.touch.look(is_in_touch=True)

    @property
    def leader(self) -> Leader:
        """Who leads, as far as is known."""
        return self.replica.state.leader

    def may_answer(self) -> bool:
        """Whether what is answered from the state now cannot be out of date. In any thread.

        To be asked after the question has come, and before the state is looked at.
        """
        until_ns, needed_seq = self._valid
        return self._now_ns() < until_ns and self.replica.state.seq >= needed_seq

    def is_in_touch(self) -> bool:
        """Whether it may answer, or leads and may not yet: what it lacks is on its way."""
        return self._now_ns() < self._valid[0] and (self.replica.leads or self.may_answer())

    @property
    def lag_events(self) -> int:
        """How many events this replica lacks of those that it knows others have."""
        return max(0, self._valid[1] - self.replica.state.seq)

    async def current(self, timeout_s: float = CURRENT_WAIT_S) -> None:
        """Wait until it may answer; raises NotCurrent `timeout_s` after touch was lost."""
        try:
            async with asyncio.timeout(min(timeout_s, self.touch.left_s(timeout_s))):
                while not self.may_answer():
                    await self._answerable.wait()
        except TimeoutError:
            raise NotCurrent from None

    def begin_session(self, session: str) -> None:
        """Go on under another session: the one before has ended."""
        self.replica.session = self._candidate.session = session
        self.lease.end(self.leader.epoch)
        self._update()

    def stop(self) -> None:
        """Answer nothing any more, and do not stand."""
        self._is_over, self.replica.hands_over = True, False
        self.lease.end(self.leader.epoch)
        self._update()

    def follow(self, _events: Iterable[Event]) -> None:
        """Events have become part of the state."""
        self.events.wake()
        self.look()

    def look(self) -> None:
        """See who leads, and what may be acknowledged and answered now; often, and after events."""
        now_ns, state = self._now_ns(), self.replica.state
        if self._records() != self._records_seen:
            self._records_seen = self._records()
            if not self.replica.leads:
                self._candidate.heard(now_ns)
        if self.replica.leads and self.leases is None and not self._is_over:
            self._lead(now_ns + int(QUIET_S * NS))  # when it was elected is not known
        elif self.leases is not None and not self.replica.leads:
            self._step_down()
        if state.leader != self._leader:
            self._leader = state.leader
            self.lease.end(state.leader.epoch)
            self.replica.leader_lacks = ""
            self.changed()
        if self.leases is not None:
            self._look_as_leader(self.leases, now_ns)
        self._update()

    def _look_as_leader(self, leases: LeaderLeases, now_ns: int) -> None:
        state = self.replica.state
        leases.appended(self.replica.appended_ns)
        leases.applied(state.seq)
        leases.advance(state.sessions, now_ns)
        left_ns = leases.until_ns(state.sessions) - now_ns
        if left_ns <= 0 and self.touch.left_s(CHANGE_WAIT_S) <= 0:
            leases.give_up()  # cut off: others may have been elected
        if left_ns < _RENEW_S * NS or now_ns - leases.appended_ns > _RENEW_APPEND_S * NS:
            self.confirm()
        else:
            self.replica.leader_lacks = ""  # something was appended

    def confirm(self) -> None:
        """Append a marker, which shows that nobody else was elected; unless one is under way."""
        if self._confirming is None and self.replica.is_writable:
            self._confirming = asyncio.create_task(self._show_leadership(), name="show_leadership")

    # While it follows.

    def due_to_stand(self) -> bool:
        """Whether nothing was heard of a leader for long enough."""
        if self.replica.leads or self.stands or self._is_over or not self.replica.is_writable:
            return False
        return self._now_ns() >= self._candidate.stands_ns(self.leader, self.replica.state.sessions)

    def granted(self, granted: Granted) -> None:
        """The leader has said something, and maybe granted what was sent to it."""
        if granted.epoch < self.leader.epoch or self.stands or self.replica.leads:
            return
        self._candidate.heard(self._now_ns())
        self._candidate.take_over(granted.epoch, granted.hands_over)
        self.replica.leader_lacks = granted.waits_for
        if granted.granted_ns:
            self.lease.grant(granted.epoch, granted.granted_ns, granted.acknowledged_seq)
        self._update()

    async def stand(self, address: str, request_id: str) -> bool:
        """Try to be elected, if that is still due; whether it was. Answers nothing meanwhile."""
        if not self.due_to_stand():
            return False  # since it was found due, another one's election has been read
        own, state = self.replica.session, self.replica.state
        self.stands = True
        self.lease.end(state.leader.epoch)
        self._update()
        self._before = (state.leader, state.sessions, self._records())
        command = StandForElection(own, state.leader.epoch + 1, address, last_seq=state.seq)
        try:
            await self.replica.stand(command, Origin("system", "election", request_id))
        except ElectionLost:
            self._candidate.heard(self._now_ns())  # of one that leads
            return False
        except (WriteRefused, OutcomeOpen):
            self._candidate.postpone(self._now_ns() + int(_STAND_AGAIN_S * NS))
            return False
        finally:
            self.stands = False
            self.look()
        return True

    # While it leads.

    def heard(self, session: str, sent_ns: int, applied_seq: int, asked_ns: int) -> None:
        """A follower has sent something."""
        leases, sessions = self.leases, self.replica.state.sessions
        if leases is None or session not in {*sessions, *leases.named()}:
            return  # one whose session has ended is waited for until it knows that
        self._heard.add(session)
        leases.heard(session, sent_ns, applied_seq, asked_ns, self._now_ns())
        self.look()

    def left(self, session: str) -> None:
        """A follower answers nothing any more."""
        if self.leases is not None:
            self.leases.forget(session)
            self.look()

    def grant(self, session: str) -> Granted:
        """What to tell a follower."""
        leases, sessions = self.leases, self.replica.state.sessions
        if leases is None or not self.replica.leads or self._is_over:
            return Granted(0, 0, 0)
        granted_ns = leases.grant(session, sessions, self._now_ns())
        waits_for, offered = self.replica.waits_for, leases.offered(session)
        return Granted(self.leader.epoch, granted_ns or 0, leases.shown_seq, waits_for, offered)

    def lost(self) -> list[str]:
        """Look for silent followers, once; returns the sessions of those that are lost."""
        heard, self._heard = self._heard, set()
        if self.leases is None or self._is_over or self.replica.hands_over:
            return []  # whoever stands says nothing
        lost = self.silences.look(self.replica.state.sessions, self.replica.session, heard)
        return sorted({*lost}.difference(self.leases.named()))

    def _acknowledge(self, seq: int, answer: Callable[[bool], None]) -> None:
        leases = self.leases
        if leases is None:
            answer(True)  # it was refused, or is the election itself
        else:
            leases.wait(seq, answer)
            self.look()

    def _elected(self) -> None:
        leader, sessions, records = self._before
        if self._records() != records + 1:  # read behind its back: of the leader, maybe
            self._candidate.heard(self._now_ns())
        self._records_seen = self._records()
        own = self._candidate
        self._lead(own.quiet_until_ns(leader, sessions), own.predecessors(leader))

    def _lead(self, quiet_until_ns: int, predecessors: frozenset[str] = frozenset()) -> None:
        own, self.silences = self.replica, Silences()
        elected = (own.session, own.state.seq, quiet_until_ns, own.appended_ns, predecessors)
        self.leases = LeaderLeases(*elected)

    def _step_down(self) -> None:
        self._candidate.heard(self._now_ns())
        if self.leases is not None:
            self.leases.give_up()
        self.leases = None

    async def _show_leadership(self) -> None:
        began_ns, leases = self._now_ns(), self.leases
        try:
            last_seq = await self._confirm()
        except Exception as error:  # noqa: BLE001 - the replica reports it when it appends
            if isinstance(error, LogBusy | LogLacking):
                self.replica.leader_lacks = refusal_for(error)().waits_for
            await asyncio.sleep(_CONFIRM_AGAIN_S)
        else:
            is_known = self.replica.state.seq >= last_seq  # with whoever was elected
            if leases is not None and is_known and self.replica.leads:
                leases.appended(began_ns)
        self._confirming = None
        self.look()

    def _update(self) -> None:
        """Take over what holds now, and wake those that wait for it."""
        if self._is_over or self.stands:
            self._valid = (0, 0)
        elif self.leases is not None:
            leases, sessions = self.leases, self.replica.state.sessions
            self._valid = (leases.until_ns(sessions), leases.shown_seq)
        else:
            self._valid = (self.lease.until_ns, self.lease.needed_seq)
        self.touch.look(is_in_touch=self.is_in_touch())
        if self._answerable and self.may_answer():
            self._answerable.wake()
