"""Who leads, and when a follower stands for election.

    follower ──silence──▶ stands ──the log takes it──▶ leads ──reads of another──▶ follower
                            │                                                       ▲
                            └──── another one was elected, or the log is busy ──────┘

The log decides: of two that stand it takes one. What is decided here is only when to try, and how
long whoever was elected keeps quiet, until no lease can be left that an earlier leader gave. A
leader that stops asks a follower to stand at once, and tells it who has leases (`hand_over`).

Pure: times are nanoseconds of one's own monotonic clock, and come with each call.
"""

from typing import Final

from nc.domain.leadership import NO_LEADER, Leader
from nc.domain.replicas import Sessions
from nc.replica.leases import BROKEN_OUT_AFTER_S, NEWCOMER_S, NS, QUIET_S

# A follower that has heard nothing of the leader for so long stands for election. An election among
# the servers that keep the log takes up to nine seconds: it must not look like a leader's death.
SILENCE_S: Final = 3.0

# In so many looks in a row, two a second, nothing was heard of a replica that is lost then.
LOST_AFTER_LOOKS: Final = 10


class Candidate:
    """One replica that may be elected.

    Args:
        replica_id: its own.
        began_ns: when it began to follow the log.

    Attributes:
        session: its own.
        heard_ns: when it last heard the leader, on the replication stream or through the log.
    """

    def __init__(self, replica_id: str, session: str, began_ns: int) -> None:
        self._replica_id = replica_id
        self.session = session
        self.heard_ns = began_ns
        self._not_before_ns = began_ns
        self._handed_over: tuple[int, frozenset[str]] = (0, frozenset())  # by which epoch's leader

    def heard(self, now_ns: int) -> None:
        """The leader has said something, or a record of it was read."""
        self.heard_ns = max(self.heard_ns, now_ns)

    def postpone(self, until_ns: int) -> None:
        """Do not stand before then: the log is busy, or another one was elected just now."""
        self._not_before_ns = max(self._not_before_ns, until_ns)

    def take_over(self, epoch: int, sessions: frozenset[str]) -> None:
        """The leader of this epoch hands over to us, unless `sessions` is empty.

        Args:
            epoch: the leader's.
            sessions: those that may have leases that it gave.
        """
        self._handed_over = (epoch, sessions)

    def predecessors(self, leader: Leader) -> frozenset[str]:
        """The others that may have a lease of that leader; none, if any session may."""
        epoch, sessions = self._handed_over
        return sessions - {self.session} if epoch == leader.epoch else frozenset()

    def stands_ns(self, leader: Leader, sessions: Sessions) -> int:
        """When to stand, if nothing is heard until then."""
        is_wanted = bool(self.predecessors(leader)) or self._has_ended(leader, sessions)
        silence_s = 0.0 if is_wanted else self._silence_s(leader, sessions)
        return max(self._not_before_ns, self.heard_ns + int(silence_s * NS))

    def quiet_until_ns(self, leader: Leader, sessions: Sessions) -> int:
        """Until when to acknowledge nothing, if elected after that leader.

        Args:
            leader: the one before.
            sessions: as they were before the election.
        """
        if self.predecessors(leader) and self._is_known(sessions):
            return self.heard_ns + int(BROKEN_OUT_AFTER_S * NS)  # it has granted nothing since
        if not self._has_ended(leader, sessions):
            return self.heard_ns + int(max(QUIET_S, self._silence_s(leader, sessions)) * NS)
        has_followers = any(replica_id != self._replica_id for replica_id in sessions.values())
        if leader == NO_LEADER or not has_followers:
            return 0  # nobody has a lease
        return self.heard_ns + int(QUIET_S * NS)

    def _silence_s(self, leader: Leader, sessions: Sessions) -> float:
        """How long the leader must have been silent.

        A leader asks the sessions of the log again and again. Of another replica it knows nothing:
        that one waits until no append can speak for the leader any more. An append speaks for it
        only once its own session has begun.
        """
        is_short = leader.awaits_start or self._is_known(sessions)
        return SILENCE_S if is_short else NEWCOMER_S

    def _is_known(self, sessions: Sessions) -> bool:
        """Whether the leader would have to ask us, or the process before us of the same folder."""
        return self.session in sessions or self._replica_id in sessions.values()

    def _has_ended(self, leader: Leader, sessions: Sessions) -> bool:
        """Whether the leader's process is known to have ended: it stopped, or has a successor."""
        replica_id = sessions.get(leader.session)
        return replica_id == self._replica_id or (replica_id is None and not leader.awaits_start)


class Silences:
    """Of each other session, how often in a row the leader has looked, and it was silent.

    Looks, and not times: a leader that was paused itself hears nobody for as long.
    """

    def __init__(self) -> None:
        self._looks: dict[str, int] = {}

    def look(self, sessions: Sessions, own: str, heard: set[str]) -> list[str]:
        """Look once; returns the sessions that are lost.

        Args:
            sessions: those of the log.
            own: the leader's.
            heard: those that something was heard of since the last look.
        """
        self._looks = {
            session: 0 if session in heard else self._looks.get(session, 0) + 1
            for session in sessions
            if session != own
        }
        return [session for session, looks in self._looks.items() if looks >= LOST_AFTER_LOOKS]
