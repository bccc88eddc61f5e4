"""Realistic bugs of links, agents and replicas that share a log: only a cluster shows them."""

import asyncio
from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from eventlog import EventLog
from eventlog.writer import SegmentWriter
from nc.agent.agent import Agent, AgentStopped
from nc.agent.connection import HubConnection
from nc.agent.link_errors import LinkEnded
from nc.domain import addresses, links, nodes, replicas
from nc.domain import leadership as leadership_rules
from nc.domain.administrators import AddAdministrator
from nc.domain.codec.records import entries_of
from nc.domain.errors import BootstrapTokenMalformed, BootstrapTokenUnknown
from nc.domain.events import Event, pb
from nc.domain.evolve import evolve_entries
from nc.domain.expiry import has_passed
from nc.domain.links import DropLink, Links, drop
from nc.domain.network import Network
from nc.domain.nodes import Nodes, SetExpiries
from nc.domain.state import State
from nc.hub.followed import FollowedLinks
from nc.hub.heartbeat import Heartbeat
from nc.hub.hub import Hub
from nc.hub.recorder import LinkRecorder
from nc.hub.switch import Switch
from nc.net.wire import CloseCode
from nc.replica import leadership
from nc.replica.batch import Decided
from nc.replica.errors import NoMajority
from nc.replica.leases import LeaderLeases
from nc.replica.queue import CommandQueue
from nc.replica.replay import Observer, replay
from nc.replica.replica import Replica
from nc.replica.role import Role
from nc.replica.timeline import Timeline
from nc.rpc.abuse import Abuse, WrongToken
from nc.rpc.callers import Caller, CallerKind
from nc.rpc.controller import Controller
from nc.rpc.replication.following import Following
from nc.secrets import TokenIds
from nc.server import tasks
from nc.server.membership import Membership
from tests.testing import replica_seams
from tests.testing.deaf_hub import deaf_to

Patch = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class ClusterBug:
    """A mistake that could be made.

    Attributes:
        name: what is wrong.
        plant: makes it so.
        is_shared: whether it takes several servers.
        laws: those by which it may be found; no other may be blamed.
    """

    name: str
    plant: Patch
    is_shared: bool
    laws: frozenset[str]


CLUSTER_BUGS: list[ClusterBug] = []


def _bug(*laws: str, is_shared: bool = False) -> Callable[[Patch], Patch]:
    """A bug, and the laws by which it may be found: its name is the function's."""

    def declare(plant: Patch) -> Patch:
        name = plant.__name__.replace("_", " ")
        CLUSTER_BUGS.append(ClusterBug(name, plant, is_shared, frozenset(laws)))
        return plant

    return declare


# What shows a link that lives on once it has ended in the log.
_A_LINK_TOO_MANY = (
    "a node has one link at the most",
    "who may not be here has no link",
    "the hub's links are the log's",
)


_LOST_PACKETS = (
    "a packet arrives at the one it is for",
    "a packet arrives or is counted as dropped",
    "a packet hops once at the most",
)


@_bug(*_A_LINK_TOO_MANY)
def the_older_link_is_not_cut_at_takeover(patch: pytest.MonkeyPatch) -> None:
    """Both links of a node go on."""
    patch.setattr(Hub, "follow", deaf_to(pb.STATE_CHANGE_REASON_LINK_SUPERSEDED))


@_bug(*_A_LINK_TOO_MANY)
def expiry_does_not_cut_the_link(patch: pytest.MonkeyPatch) -> None:
    """The log says so, and the link goes on."""
    patch.setattr(Hub, "follow", deaf_to(pb.STATE_CHANGE_REASON_EXPIRED))


@_bug("a packet arrives at the one it is for", "a packet arrives or is counted as dropped")
def the_older_link_s_end_detaches_the_newer_port(patch: pytest.MonkeyPatch) -> None:
    """The port that has the address is detached, whichever it is."""

    def careless(self: Switch, port: Any) -> None:
        self.ports.pop(port.address, None)

    patch.setattr(Switch, "detach", careless)


@_bug("a silent link is ended")
def silence_is_never_noticed(patch: pytest.MonkeyPatch) -> None:
    """The hub does not look at its links."""
    patch.setattr(Heartbeat, "check", lambda *_: None)


@_bug("every live agent is connected again")
def an_agent_waits_for_a_silent_server_for_ever(patch: pytest.MonkeyPatch) -> None:
    """It pings, and never minds."""

    def patient(self: HubConnection) -> None:
        self._transport.send_ping()
        self._timer = self._loop.call_later(self._ping_interval_s, self._ping)

    patch.setattr(HubConnection, "_ping", patient)


@_bug("an address is told only once it is durable")
def an_address_is_told_before_it_is_durable(patch: pytest.MonkeyPatch) -> None:
    """A node that has one already is given it while the disk still works."""
    hand_over = LinkRecorder.hand_over

    async def hasty(self: LinkRecorder, link: Any) -> None:
        task = asyncio.create_task(hand_over(self, link))
        if link.node_id in self._replica.state.addresses.by_node:
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        else:
            await task

    patch.setattr(LinkRecorder, "hand_over", hasty)


@_bug("every live agent is connected again")
def an_agent_gives_up_when_it_should_try_later(patch: pytest.MonkeyPatch) -> None:
    """Code 1013 is taken for a refusal."""
    run_link = Agent._run_link

    async def touchy(self: Agent) -> None:
        try:
            await run_link(self)
        except LinkEnded as ended:
            if f"(code {CloseCode.TRY_AGAIN_LATER:d})" in str(ended):
                raise AgentStopped("try again later") from ended
            raise

    patch.setattr(Agent, "_run_link", touchy)


@_bug("the hub's links are the log's")
def a_full_disk_loses_the_record_of_a_link_s_end(patch: pytest.MonkeyPatch) -> None:
    """It is tried once."""
    end = LinkRecorder.end

    async def once(self: LinkRecorder, link: Any, reason: Any) -> None:
        if not self._replica.lacking.is_set():
            await end(self, link, reason)

    patch.setattr(LinkRecorder, "end", once)


@_bug(
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


@_bug(
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


@_bug(*_A_LINK_TOO_MANY, "every live agent is connected again", *_LOST_PACKETS, is_shared=True)
def a_replaced_link_waits_for_one_that_is_elsewhere(patch: pytest.MonkeyPatch) -> None:
    """It is kept, and its server never learns that the newer one has its address."""
    patch.setattr(FollowedLinks, "_follow_elsewhere", lambda *_: None)


@_bug("an attempt to enrol makes one node", "a node is enrolled once")
def a_lost_reply_to_an_attempt_costs_another_node(patch: pytest.MonkeyPatch) -> None:
    """Its token is drawn anew each time."""
    original, drawn = TokenIds.node_token_of, count()

    def fickle(self: TokenIds, attempt: str, token_id: str) -> str:
        return original(self, f"{attempt}{next(drawn)}", token_id)

    patch.setattr(TokenIds, "node_token_of", fickle)


@_bug(*_A_LINK_TOO_MANY, "a start finds what was left", is_shared=True)
def a_server_does_not_follow_the_log(patch: pytest.MonkeyPatch) -> None:
    """It reads what others wrote when it next writes itself."""

    async def idle(*_: object) -> None:
        await asyncio.Event().wait()

    patch.setattr(tasks, "follow_log", idle)


@_bug(*_A_LINK_TOO_MANY, is_shared=True)
def what_another_replica_ends_lives_on_here(patch: pytest.MonkeyPatch) -> None:
    """Its events are folded in, and the hub does not learn of them."""
    replica_seams.plant(patch, replay=lambda log, state, _: replay(log, state))


@_bug(
    *_A_LINK_TOO_MANY,
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


@_bug(
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


@_bug("nothing crashes", "a start finds what was left", is_shared=True)
def a_conflict_ends_the_writer(patch: pytest.MonkeyPatch) -> None:
    """It is taken for a failure of the log."""

    class DecidedAgain(Exception):
        pass

    def anxious(_state: State, _known: Decided) -> Decided:
        raise DecidedAgain

    replica_seams.plant(patch, decide=replica_seams.AtRetry(anxious))


@_bug("an old link's end does not touch a newer one", is_shared=True)
def a_late_close_drops_the_link_at_another_server(patch: pytest.MonkeyPatch) -> None:
    """Whatever link the node has is dropped, not the one that is gone."""

    def careless(links: Links, command: DropLink) -> list[Event]:
        return drop(links, command.node_id, command.reason)

    patch.setattr(links, "decide_drop", careless)


@_bug(
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


@_bug("the hub's links are the log's", "no link outlives its server")
def a_start_forgets_links_of_before(patch: pytest.MonkeyPatch) -> None:
    """What a crash left CONNECTED stays so."""
    patch.setattr(replicas, "drop_owned", lambda *_: [])


@_bug("expiry cuts a link for good", is_shared=True)
def a_node_that_is_revived_in_time_keeps_its_link(patch: pytest.MonkeyPatch) -> None:
    """Before the sweep has noticed that it expired."""
    decide = nodes.decide_set_expiries

    def lenient(known: Nodes, links: Links, command: SetExpiries) -> list[Event]:
        events = decide(known, links, command)
        revived = {
            event.expiry_changed.node_id
            for event in events
            if event.HasField("expiry_changed")
            and not has_passed(event.expiry_changed.expires_at_ms, command.now_ms)
        }
        return [event for event in events if event.state_changed.node_id not in revived]

    patch.setattr(nodes, "decide_set_expiries", lenient)


@_bug("a node comes back with its address")
def who_is_idle_holds_no_address(patch: pytest.MonkeyPatch) -> None:
    """It is folded so, though nothing says it."""
    state_changed = addresses.evolve_state_changed

    def greedy(draft: Any, node_id: str, seq: int, at_ms: int, *, is_idle: bool) -> None:
        state_changed(draft, node_id, seq, at_ms, is_idle=is_idle)
        if is_idle:
            draft.by_node.discard(node_id)

    patch.setattr(addresses, "evolve_state_changed", greedy)


@_bug("no two nodes hold one address", "an address is one for nodes")
def a_node_gets_another_s_peer_address(patch: pytest.MonkeyPatch) -> None:
    """The even one above each."""
    address = Network.address

    def even(self: Network, slot: int) -> str | None:
        odd = address(self, slot)
        return odd and str(IPv4Address(odd) + 1)

    patch.setattr(Network, "address", even)


@_bug("answers do not differ by port")
def the_bootstrap_port_has_words_of_its_own(patch: pytest.MonkeyPatch) -> None:
    """For a token that is unknown."""
    judge = Abuse.judge

    def curt(self: Abuse, caller: Caller, *call: Any) -> None:
        try:
            judge(self, caller, *call)
        except WrongToken as wrong:
            is_unknown = isinstance(wrong.reason, BootstrapTokenUnknown)
            if is_unknown and caller.kind is CallerKind.ANONYMOUS:
                raise WrongToken(BootstrapTokenMalformed(), wrong.delay_s) from wrong
            raise

    patch.setattr(Abuse, "judge", curt)


@_bug("a start finds what was left")
def a_segment_is_sealed_with_remains_in_it(patch: pytest.MonkeyPatch) -> None:
    """Behind its last record, of one that had no room."""
    start = SegmentWriter._start_segment

    def careless(self: SegmentWriter, record_bytes: int) -> None:
        if self.segments:
            self._disk.pwrite(self._fd, b"remains", self.end.offset)
        start(self, record_bytes)

    patch.setattr(SegmentWriter, "_start_segment", careless)


@_bug("nothing crashes", "a start finds what was left", is_shared=True)
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


# Of servers that lead and follow.

_OLDER = ("no server answers with what is past", "answers are never stale")
_OLDER_BY_CONTRACT = (
    "an acknowledged enrolment is never forgotten",
    "unregister is final",
    "an expired node token is refused",
    "a later expiry revives a node",
    "a list is applied as a whole or not at all",
    "a bootstrap token serves until it expires",
    "an address stays with its node",
)


@_bug(*_OLDER, *_OLDER_BY_CONTRACT, is_shared=True)
def followers_and_leaders_answer_without_a_lease(patch: pytest.MonkeyPatch) -> None:
    """What they know may be out of date."""
    patch.setattr(Role, "may_answer", lambda _: True)


@_bug(*_OLDER, *_OLDER_BY_CONTRACT, "one leader after the other acknowledges", is_shared=True)
def a_leader_goes_on_until_it_hears_of_another(patch: pytest.MonkeyPatch) -> None:
    """Its lease never ends, and a new one does not wait."""
    patch.setattr(LeaderLeases, "until_ns", lambda *_: 1 << 62)
    patch.setattr(leadership.Candidate, "quiet_until_ns", lambda *_: 0)


@_bug(*_OLDER, *_OLDER_BY_CONTRACT, is_shared=True)
def the_leader_acknowledges_before_its_followers_know(patch: pytest.MonkeyPatch) -> None:
    """It waits for nobody."""
    patch.setattr(LeaderLeases, "_in", lambda _: iter(()))


@_bug(*_OLDER, *_OLDER_BY_CONTRACT, "one leader after the other acknowledges", is_shared=True)
def a_new_leader_does_not_wait(patch: pytest.MonkeyPatch) -> None:
    """It acknowledges while leases of the one before it go on."""
    patch.setattr(leadership.Candidate, "quiet_until_ns", lambda *_: 0)
    patch.setattr(leadership, "SILENCE_S", 0.7)


@_bug("what is answered of a change is so", is_shared=True)
def an_open_outcome_is_called_a_failure(patch: pytest.MonkeyPatch) -> None:
    """What may be in the log is said not to be."""
    patch.setattr(CommandQueue, "leave_open", lambda queue, _count: queue.refuse(NoMajority))


@_bug(
    "what is answered of a change is so",
    "an acknowledged change is in the log once",
    "nothing crashes",
    *_OLDER,
    *_OLDER_BY_CONTRACT,
    *_A_LINK_TOO_MANY,
    is_shared=True,
)
def an_open_outcome_is_called_a_success(patch: pytest.MonkeyPatch) -> None:
    """What may not be in the log is said to be."""
    patch.setattr(
        CommandQueue, "leave_open", lambda queue, count: queue.answer([[] for _ in range(count)])
    )


@_bug("a link is lost with its server alone", is_shared=True)
def links_of_other_servers_are_dropped(patch: pytest.MonkeyPatch) -> None:
    """A loss ends all links but the leader's own."""

    def others(links: Any, sessions: Any) -> Iterable[str]:
        first = min(session for session, _ in sessions.items()) if sessions else ""
        return (node for node, link in links.items() if link.session != first)

    patch.setattr(leadership_rules, "unowned", others)


@_bug(
    "servers on one log agree",
    "codes are the contract's",
    "an acknowledged enrolment is never forgotten",
    is_shared=True,
)
def a_lost_session_goes_on(patch: pytest.MonkeyPatch) -> None:
    """A server that reads of its own loss begins no other session."""

    async def nothing(_: Membership) -> None: ...

    patch.setattr(Membership, "_begin_anew_if_lost", nothing)


@_bug("who is in touch is not lost", is_shared=True)
def a_server_that_is_slow_is_taken_for_lost(patch: pytest.MonkeyPatch) -> None:
    """Once it was silent for a second."""
    patch.setattr(leadership, "LOST_AFTER_LOOKS", 2)


@_bug("the hub's links are the log's", "no link outlives its server", is_shared=True)
def a_refused_end_of_a_link_is_not_asked_for_again(patch: pytest.MonkeyPatch) -> None:
    """A follower takes the leader's lack for one of its own, which never ends."""
    change = Following.change

    async def once(self: Following, command: Any, origin: Any, *, insist: bool) -> list[Event]:
        del insist
        return await change(self, command, origin, insist=False)

    patch.setattr(Following, "change", once)


# Of packets between servers.


@_bug("a packet hops once at the most", is_shared=True)
def a_packet_is_passed_on_to_where_its_node_has_gone(patch: pytest.MonkeyPatch) -> None:
    """It hops twice."""
    route = Switch._route_from_peer

    def helpful(self: Switch, peer: Any, packet: Any, source: int, destination: int) -> Any:
        is_elsewhere = destination not in self.ports and destination != self.own_address
        if is_elsewhere and (there := self.peers.get(destination)) is not None:
            return there
        return route(self, peer, packet, source, destination)

    patch.setattr(Switch, "_route_from_peer", helpful)


@_bug("a packet hops once at the most", "a packet arrives at the one it is for", is_shared=True)
def what_comes_from_a_server_is_forwarded_like_a_kernel_s(patch: pytest.MonkeyPatch) -> None:
    """To wherever it is for, and from whomever it says."""

    def trusting(self: Switch, peer: Any, _packet: Any, _source: int, destination: int) -> Any:
        return self.ports.get(destination) or self._route_beyond(peer, destination)

    patch.setattr(Switch, "_route_from_peer", trusting)


@_bug("a packet arrives at the one it is for", is_shared=True)
def the_source_of_another_server_s_packet_is_not_checked(patch: pytest.MonkeyPatch) -> None:
    """It may send as any node."""
    route = Switch._route_from_peer

    def trusting(self: Switch, peer: Any, packet: Any, source: int, destination: int) -> Any:
        known = self.peers
        self.peers = {**known, source: peer}
        try:
            return route(self, peer, packet, source, destination)
        finally:
            self.peers = known

    patch.setattr(Switch, "_route_from_peer", trusting)
