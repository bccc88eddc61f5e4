"""Leases and elections as state machines: with clocks that drift, and a network that does anything.

Laws:
    whoever may answer has everything that was acknowledged
    of two leaders never both acknowledge: an epoch ends for good when a later one acknowledges
    a leader knows of everything that a follower has told that it has
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from rpds import HashTrieMap

from nc.domain.leadership import NO_LEADER, Leader
from nc.replica.leadership import LOST_AFTER_LOOKS, Candidate, Silences
from nc.replica.leases import NS, FollowerLease, LeaderLeases

NAMES = ("a", "b", "c")
RATES = (0.96, 1.0, 1.04)


class Record(NamedTuple):
    """One record of the log: an election, an event or a marker."""

    leader: Leader | None
    is_marker: bool = False


class Message(NamedTuple):
    """From one replica to another; what is in it, its receiver knows how to read."""

    to: str
    of: str
    epoch: int
    fields: tuple[int, int, int]
    is_of_leader: bool
    hands_over: frozenset[str] = frozenset()


@dataclass
class Replica:
    """One replica: how much of the log it has read, and what its machines say."""

    name: str
    rate: float
    candidate: Candidate
    read: int = 0  # records
    seq: int = 0
    leader: Leader = NO_LEADER
    lease: FollowerLease = field(default_factory=FollowerLease)
    leases: LeaderLeases | None = None
    asked_ns: int = 0

    @property
    def leads(self) -> bool:
        return self.leader.session == self.name


SESSIONS = HashTrieMap({name: f"replica {name}" for name in NAMES})


class Leases(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self.time_ns = 1000 * NS
        self.log: list[Record] = []
        self.acknowledged = 0  # events
        self.last_epoch = 0
        self.heard: dict[tuple[str, int], int] = {}  # by leader, the most that followers had
        self.under_way: list[Message] = []

    @initialize(rates=st.tuples(*[st.sampled_from(RATES)] * 3))
    def begin(self, rates: tuple[float, ...]) -> None:
        self.replicas = {
            name: Replica(
                name,
                rate,
                Candidate(f"replica {name}", name, int(self.time_ns * rate)),
            )
            for name, rate in zip(NAMES, rates, strict=True)
        }
        self.stand("a")

    def now(self, replica: Replica) -> int:
        return int(self.time_ns * replica.rate)

    @rule(duration_s=st.sampled_from([0.05, 0.3, 0.5, 1.1, 2.0, 3.2]))
    def time_passes(self, duration_s: float) -> None:
        self.time_ns += int(duration_s * NS)

    @rule(name=st.sampled_from(NAMES))
    def reads(self, name: str) -> None:
        """A replica reads the log to its end."""
        replica, now_ns = self.replicas[name], self.now(self.replicas[name])
        if replica.read == len(self.log):
            return
        for record in self.log[replica.read :]:
            replica.seq += not record.is_marker
            replica.leader = record.leader or replica.leader
        replica.read = len(self.log)
        replica.candidate.heard(now_ns)
        replica.lease.end(replica.leader.epoch)
        if not replica.leads:
            replica.leases = None

    @rule(name=st.sampled_from(NAMES), is_marker=st.booleans())
    def appends(self, name: str, is_marker: bool) -> None:
        """A leader appends, if it knows the end; it is acknowledged when it may be."""
        replica = self.replicas[name]
        if replica.leases is None or replica.read != len(self.log):
            return
        self.log.append(Record(None, is_marker))
        replica.read += 1
        replica.leases.appended(self.now(replica))
        if is_marker:
            return
        replica.seq += 1
        replica.leases.applied(replica.seq)
        seq, epoch = replica.seq, replica.leader.epoch
        replica.leases.wait(seq, lambda is_known: self.acknowledge(seq, epoch, is_known))

    def acknowledge(self, seq: int, epoch: int, is_known: bool) -> None:
        if is_known:
            assert epoch >= self.last_epoch
            self.last_epoch = epoch
            self.acknowledged = max(self.acknowledged, seq)

    @rule(name=st.sampled_from(NAMES))
    def stands(self, name: str) -> None:
        replica = self.replicas[name]
        due_ns = replica.candidate.stands_ns(replica.leader, SESSIONS)
        if not replica.leads and replica.read == len(self.log) and self.now(replica) >= due_ns:
            self.stand(name)

    def stand(self, name: str) -> None:
        replica, now_ns = self.replicas[name], self.now(self.replicas[name])
        quiet_until_ns = replica.candidate.quiet_until_ns(replica.leader, SESSIONS)
        predecessors = replica.candidate.predecessors(replica.leader)
        replica.leader = Leader(name, replica.leader.epoch + 1)
        self.log.append(Record(replica.leader))
        replica.read, replica.seq = replica.read + 1, replica.seq + 1
        replica.lease.end(replica.leader.epoch)
        replica.leases = LeaderLeases(name, replica.seq, quiet_until_ns, now_ns, predecessors)

    @rule(name=st.sampled_from(NAMES), to=st.sampled_from(NAMES))
    def beats(self, name: str, to: str) -> None:
        """A leader says something to a follower, and grants what it may."""
        replica, now_ns = self.replicas[name], self.now(self.replicas[name])
        if replica.leases is None or name == to:
            return
        granted_ns = replica.leases.grant(to, SESSIONS, now_ns) or 0
        fields = (now_ns, granted_ns, replica.leases.shown_seq)
        epoch, offered = replica.leader.epoch, replica.leases.offered(to)
        self.under_way.append(Message(to, name, epoch, fields, True, offered))

    @rule(name=st.sampled_from(NAMES), to=st.sampled_from(NAMES), is_heard=st.booleans())
    def hands_over(self, name: str, to: str, is_heard: bool) -> None:
        """A leader that stops asks a follower to stand, which may hear of it late."""
        replica = self.replicas[name]
        leases, now_ns = replica.leases, self.now(replica)
        if leases is None or to not in leases.named() or now_ns < leases.quiet_until_ns:
            return
        leases.successor = to
        self.beats(name, to)
        if is_heard:
            self.take(self.under_way.pop())
            self.reads(to)
            self.stands(to)

    @rule(name=st.sampled_from(NAMES), to=st.sampled_from(NAMES))
    def answers(self, name: str, to: str) -> None:
        """A follower says what it has applied, and what it last heard."""
        replica = self.replicas[name]
        if replica.leads or replica.leader.session != to:
            return
        fields = (self.now(replica), replica.seq, replica.asked_ns)
        self.under_way.append(Message(to, name, replica.leader.epoch, fields, is_of_leader=False))

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), is_lost=st.booleans())
    def arrives(self, data: st.DataObject, is_lost: bool) -> None:
        """A message comes, in any order, or never."""
        message = self.under_way.pop(data.draw(st.integers(0, len(self.under_way) - 1)))
        if not is_lost:
            self.take(message)

    @rule(names=st.permutations(NAMES))
    def all_is_well(self, names: list[str]) -> None:
        """A leader and its followers exchange what they do twice a second."""
        for name in names:
            self.reads(name)
        for _ in range(2):
            for name in names:
                for to in names:
                    self.beats(name, to)
            self.deliver()
            for name in names:
                self.answers(name, self.replicas[name].leader.session)
            self.deliver()

    @rule(name=st.sampled_from(NAMES), to=st.sampled_from(NAMES), times=st.integers(1, 8))
    def two_are_in_touch(self, name: str, to: str, times: int) -> None:
        """For some half seconds, with each other alone; what others sent is still under way."""
        others, self.under_way = self.under_way, []
        for _ in range(times):
            self.time_passes(0.5)
            for _ in range(2):
                self.beats(name, to)
                self.deliver()
                self.answers(to, name)
                self.deliver()
            self.beats(name, to)
            self.deliver()
        self.under_way = others

    def deliver(self) -> None:
        """Everything comes that is under way, the oldest first."""
        under_way, self.under_way = self.under_way, []
        for message in under_way:
            self.take(message)

    def take(self, message: Message) -> None:
        replica = self.replicas[message.to]
        leader, now_ns, fields = replica.leader, self.now(replica), message.fields
        if not message.is_of_leader:
            if replica.leases is not None and message.epoch == leader.epoch:
                replica.leases.heard(message.of, *fields, now_ns)
                key = message.to, leader.epoch
                self.heard[key] = max(self.heard.get(key, 0), fields[1])
        elif not replica.leads and message.epoch >= leader.epoch:
            replica.asked_ns, granted_ns, acknowledged_seq = fields
            replica.candidate.heard(now_ns)
            replica.candidate.take_over(message.epoch, message.hands_over)
            if granted_ns:
                replica.lease.grant(message.epoch, granted_ns, acknowledged_seq)

    @rule(name=st.sampled_from(NAMES))
    def looks(self, name: str) -> None:
        """A leader acknowledges what it may."""
        replica = self.replicas[name]
        if replica.leases is not None:
            replica.leases.advance(SESSIONS, self.now(replica))

    @invariant()
    def a_leader_knows_what_its_followers_have(self) -> None:
        for name, replica in getattr(self, "replicas", {}).items():
            if replica.leases is not None:
                heard = self.heard.get((name, replica.leader.epoch), 0)
                assert replica.leases.shown_seq >= heard

    @invariant()
    def whoever_may_answer_has_everything(self) -> None:
        for replica in getattr(self, "replicas", {}).values():
            now_ns = self.now(replica)
            if replica.leases is not None:
                may_answer = now_ns < replica.leases.until_ns(SESSIONS)
            else:
                may_answer = replica.lease.is_valid(replica.seq, now_ns)
            if may_answer:
                assert replica.seq >= self.acknowledged, replica


def test_leases() -> None:
    """A search."""
    run_state_machine_as_test(Leases, settings=settings(stateful_step_count=40))


def test_silence_is_counted_in_looks() -> None:
    """Whoever is heard of in between begins anew; the leader itself is never lost."""
    silences = Silences()
    for look in range(LOST_AFTER_LOOKS - 1):
        assert silences.look(SESSIONS, "a", {"b"} if look < 3 else set()) == []
    assert silences.look(SESSIONS, "a", set()) == ["c"]
    assert silences.look(SESSIONS, "a", {"c"}) == []
