"""Leases: until when a replica may answer, and what the leader has to wait for.

    an answer is never older than what was acknowledged before the question was asked

A follower that is *in* is waited for: the leader acknowledges only what it has applied. It answers
queries under a lease, which runs from its own clock at the moment when it sent the message that the
leader grants it for. So nothing that is late on its way makes a lease longer, and clocks have to
agree in their rates alone. Whoever is out has no lease that goes on: the leader waits longer for it
than a lease lasts. For one that is silent it waits twice as long, since it may just be slow; for
one whose connection has broken, which most often has ended, no longer than it must.

The leader answers under a lease of its own, which others that might be elected give it: each
session of the log that has answered it will not acknowledge anything for `QUIET_S` from then on.
An append gives one, too: it shows that nobody was elected before, and whoever is elected later has
read it first. Of replicas that the log does not know nobody can ask anything; those wait for longer
(`NEWCOMER_S`) than an append's lease lasts (`APPEND_LEASE_S`). Until the leader's own session has
begun, its appends are worth no more than a follower's answer, and newcomers wait as others do.

Pure: times are nanoseconds of one's own monotonic clock, and come with each call.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

NS: Final = 1_000_000_000

# How long a follower answers after it sent what the leader has granted.
FOLLOWER_LEASE_S: Final = 1.5

# How long the leader answers, and grants, after it asked what the others have answered. With a
# follower's lease behind it, it has to end before `QUIET_S`: 0.3 s are left for clocks whose rates
# differ, by a tenth.
GRANT_S: Final = 1.2

# For how long after it last heard a leader no other one acknowledges anything.
QUIET_S: Final = 3.0

# How long a follower that is silent is waited for: twice its lease.
OUT_AFTER_S: Final = 3.0

# And one whose connection has broken: its lease, and a tenth for clocks whose rates differ.
BROKEN_OUT_AFTER_S: Final = 1.65

# A follower that has not applied something for so long is granted nothing more.
LAG_S: Final = 1.0

# How long the last append speaks for a leader, against replicas that the log does not know; and how
# long those keep quiet. A log that cannot be appended to stops all answers after the first.
APPEND_LEASE_S: Final = 60.0
NEWCOMER_S: Final = 66.0


class Granted(NamedTuple):
    """What a leader answers a follower's message with."""

    epoch: int
    granted_ns: int  # by the follower's clock; 0: it may not answer
    acknowledged_seq: int
    waits_for: str = ""  # as `Replica.waits_for` of the leader
    hands_over: frozenset[str] = frozenset()  # to this follower: the sessions with leases


class FollowerLease:
    """Of one follower, given by one leader after the other.

    Attributes:
        until_ns: when it ends; 0: there is none.
        needed_seq: what has to be applied for it.
        epoch: of the leader that gave it.
    """

    def __init__(self) -> None:
        self.until_ns = 0
        self.needed_seq = 0
        self.epoch = 0

    def grant(self, epoch: int, sent_ns: int, acknowledged_seq: int) -> None:
        """A leader that has us in grants what we have sent it at `sent_ns`."""
        if epoch < self.epoch:
            return
        if epoch > self.epoch:
            self.epoch, self.until_ns = epoch, 0
        self.until_ns = max(self.until_ns, sent_ns + int(FOLLOWER_LEASE_S * NS))
        self.needed_seq = max(self.needed_seq, acknowledged_seq)

    def end(self, epoch: int) -> None:
        """End it, unless it is of a leader after that of this epoch."""
        if epoch >= self.epoch:
            self.epoch, self.until_ns = epoch, 0

    def is_valid(self, applied_seq: int, now_ns: int) -> bool:
        return applied_seq >= self.needed_seq and now_ns < self.until_ns


@dataclass(slots=True)
class Member:
    """A follower, as its leader knows it.

    Attributes:
        applied_seq: what its state has.
        sent_ns: when it sent its last message, by its own clock.
        heard_ns: when that came.
        asked_ns: when that which it has last answered was sent.
        granted_ns: when the message came that it was last granted a lease for.
        lags_since_ns: when it was first found to lack what is to be acknowledged; None: it is not.
        is_in: it is waited for.
        is_broken: its connection has ended, and nothing was heard of it since.
    """

    applied_seq: int = 0
    sent_ns: int = 0
    heard_ns: int = 0
    asked_ns: int = 0
    granted_ns: int = 0
    lags_since_ns: int | None = None
    is_in: bool = False
    is_broken: bool = False


@dataclass(frozen=True, slots=True)
class _Unacknowledged:
    seq: int
    answer: Callable[[bool], None]


class LeaderLeases:
    """What one leader knows of its followers, from its election on.

    Args:
        session: its own.
        elected_seq: the event of its election.
        quiet_until_ns: when it may acknowledge the first command.
        appended_ns: when the append of its election was sent.
        predecessors: the sessions that may have leases of the leader before, which has handed over;
            none, if any session may. Quiet is over once each of them follows this one.

    Attributes:
        members: those that have sent anything, by session.
        acknowledged_seq: the last event that was acknowledged, or might have been.
        shown_seq: the last one that a follower may have shown to somebody; the leader itself may
            not have it yet, if it is of an append of its own whose outcome is open.
        quiet_until_ns: as above, or 0.
        successor: the session that is to be elected in its place, for which it grants nothing any
            more; "": none is.
    """

    def __init__(
        self,
        session: str,
        elected_seq: int,
        quiet_until_ns: int,
        appended_ns: int,
        predecessors: frozenset[str] = frozenset(),
    ) -> None:
        self.session = session
        self.successor = ""
        self.members: dict[str, Member] = {}
        self.acknowledged_seq = self.shown_seq = elected_seq
        self.appended_ns = appended_ns
        self.quiet_until_ns = quiet_until_ns
        self._predecessors, self._was_handed_over = set(predecessors), bool(predecessors)
        self._applied_seq = elected_seq
        self._waiting: list[_Unacknowledged] = []

    def appended(self, sent_ns: int) -> None:
        """An append of ours has succeeded, which was sent then."""
        self.appended_ns = max(self.appended_ns, sent_ns)

    def applied(self, seq: int) -> None:
        """Our own state has this event."""
        self._applied_seq = max(self._applied_seq, seq)

    def wait(self, seq: int, answer: Callable[[bool], None]) -> None:
        """Answer True once all that are in have applied this event, False if that stays open."""
        self._waiting.append(_Unacknowledged(seq, answer))

    def give_up(self) -> None:
        """Another one leads: what is not acknowledged stays open."""
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.answer(False)

    def heard(
        self, session: str, sent_ns: int, applied_seq: int, asked_ns: int, now_ns: int
    ) -> None:
        """A follower has sent this: its time, what it has applied, our time that it last saw."""
        member = self.members.setdefault(session, Member())
        member.is_broken = False
        member.applied_seq = max(member.applied_seq, applied_seq)
        self.shown_seq = max(self.shown_seq, applied_seq)
        member.asked_ns = max(member.asked_ns, asked_ns)
        if sent_ns >= member.sent_ns:
            member.sent_ns, member.heard_ns = sent_ns, now_ns
        if not member.is_in and member.applied_seq >= self.acknowledged_seq:
            member.is_in = True
            member.granted_ns = now_ns
            member.lags_since_ns = None
            self._predecessors.discard(session)  # it is waited for, whatever lease it had
            if self._was_handed_over and not self._predecessors:
                self.quiet_until_ns = 0

    def broke(self, session: str) -> None:
        """Its connection has ended; whether its process has is not known."""
        if (member := self.members.get(session)) is not None:
            member.is_broken = True

    def forget(self, session: str) -> None:
        """It has given up its lease, or its process has ended."""
        self.members.pop(session, None)

    def until_ns(self, sessions: Collection[str]) -> int:
        """When our own lease ends.

        Args:
            sessions: those that have not ended, as the log has them; any of them may be elected.
        """
        by_append_ns = self.appended_ns + int(GRANT_S * NS)
        asked = [self._asked_ns(session) for session in sessions if session != self.session]
        has_begun = self.session in sessions
        by_newcomers_ns = self.appended_ns + int((APPEND_LEASE_S if has_begun else GRANT_S) * NS)
        if not asked:
            return by_newcomers_ns
        return max(by_append_ns, min(min(asked) + int(GRANT_S * NS), by_newcomers_ns))

    def _asked_ns(self, session: str) -> int:
        member = self.members.get(session)
        return 0 if member is None else member.asked_ns

    def grant(self, session: str, sessions: Collection[str], now_ns: int) -> int | None:
        """What this follower sent that we grant now: by its own clock; None: nothing.

        Args:
            session: the follower's.
            sessions: as for `until_ns`.
            now_ns: now.
        """
        member = self.members.get(session)
        if self.successor or member is None or not member.is_in or session not in sessions:
            return None
        if now_ns >= self.until_ns(sessions):
            return None
        since_ns = member.lags_since_ns
        if since_ns is not None and now_ns - since_ns > LAG_S * NS:
            return None
        if now_ns - member.heard_ns > FOLLOWER_LEASE_S * NS:
            return None  # it would have ended
        member.granted_ns = max(member.granted_ns, member.heard_ns)
        return member.sent_ns

    def advance(self, sessions: Collection[str], now_ns: int) -> None:
        """Put out whom there is no need to wait for any more, and acknowledge what may be.

        Only under a lease: whoever is elected acknowledges nothing before that has ended.
        """
        for session in self.members.keys() - set(sessions):
            if not self.members[session].is_in:  # else it may not know yet that it is lost
                self.forget(session)
        reached = self._reached(now_ns)
        for member in self._in():
            if member.applied_seq >= reached:
                member.lags_since_ns = None
            elif member.lags_since_ns is None:
                member.lags_since_ns = now_ns
            out_after_s = BROKEN_OUT_AFTER_S if member.is_broken else OUT_AFTER_S
            if now_ns - member.granted_ns > out_after_s * NS:
                member.is_in = False
        reached = min([reached, *(member.applied_seq for member in self._in())])
        self.acknowledged_seq = max(self.acknowledged_seq, reached)
        self.shown_seq = max(self.shown_seq, self.acknowledged_seq)
        ready = [each for each in self._waiting if each.seq <= self.acknowledged_seq]
        if ready and self.quiet_until_ns <= now_ns < self.until_ns(sessions):
            self._waiting = [each for each in self._waiting if each.seq > self.acknowledged_seq]
            for each in ready:
                each.answer(True)

    def _reached(self, now_ns: int) -> int:
        return self.acknowledged_seq if now_ns < self.quiet_until_ns else self._applied_seq

    def _in(self) -> Iterator[Member]:
        return (member for member in self.members.values() if member.is_in)

    @property
    def waits(self) -> bool:
        """Whether anything is to be acknowledged."""
        return bool(self._waiting)

    def named(self) -> list[str]:
        """Those that are in."""
        return [session for session, member in self.members.items() if member.is_in]

    def offered(self, session: str) -> frozenset[str]:
        """What a follower is told that is to be elected: who may have a lease of this leader's."""
        is_successor = session == self.successor
        return frozenset((self.session, *self.named())) if is_successor else frozenset()

    def successors(self, sessions: Collection[str]) -> list[str]:
        """The followers that may be elected in its place, that with the most first."""
        able = sorted(self.named(), key=lambda each: -self.members[each].applied_seq)
        return [each for each in able if each in sessions and not self.members[each].is_broken]
