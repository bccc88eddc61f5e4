"""Planted bugs about links, agents and what they are answered: only a cluster shows them."""

import asyncio
from itertools import count
from typing import Any

import pytest

from nc.agent.agent import Agent, AgentStopped
from nc.agent.connection import HubConnection
from nc.agent.link_errors import LinkEnded
from nc.domain import links, nodes, replicas
from nc.domain.errors import BootstrapTokenMalformed, BootstrapTokenUnknown
from nc.domain.events import Event, StateChanged, pb
from nc.domain.expiry import has_passed
from nc.domain.links import DropLink, Links, drop
from nc.domain.nodes import Nodes, SetExpiries
from nc.hub.followed import FollowedLinks
from nc.hub.heartbeat import Heartbeat
from nc.hub.hub import Hub
from nc.hub.recorder import LinkRecorder
from nc.net.wire import CloseCode
from nc.rpc.abuse import Abuse, WrongToken
from nc.rpc.callers import Caller, CallerKind
from nc.rpc.replication.following import Following
from nc.secrets import TokenIds
from tests.testing.cluster_planting import A_LINK_TOO_MANY, LOST_PACKETS, ClusterBug, into
from tests.testing.deaf_hub import deaf_to

BUGS: list[ClusterBug] = []
bug = into(BUGS)


@bug(*A_LINK_TOO_MANY)
def the_older_link_is_not_cut_at_takeover(patch: pytest.MonkeyPatch) -> None:
    """Both links of a node go on."""
    patch.setattr(Hub, "follow", deaf_to(pb.STATE_CHANGE_REASON_LINK_SUPERSEDED))


@bug(*A_LINK_TOO_MANY)
def expiry_does_not_cut_the_link(patch: pytest.MonkeyPatch) -> None:
    """The log says so, and the link goes on."""
    patch.setattr(Hub, "follow", deaf_to(pb.STATE_CHANGE_REASON_EXPIRED))


@bug("a silent link is ended")
def silence_is_never_noticed(patch: pytest.MonkeyPatch) -> None:
    """The hub does not look at its links."""
    patch.setattr(Heartbeat, "check", lambda *_: None)


@bug("every live agent is connected again")
def an_agent_waits_for_a_silent_server_for_ever(patch: pytest.MonkeyPatch) -> None:
    """It pings, and never minds."""

    def patient(self: HubConnection) -> None:
        self._transport.send_ping()
        self._timer = self._loop.call_later(self._ping_interval_s, self._ping)

    patch.setattr(HubConnection, "_ping", patient)


@bug("an address is told only once it is durable")
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


@bug("every live agent is connected again")
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


@bug("the hub's links are the log's")
def a_full_disk_loses_the_record_of_a_link_s_end(patch: pytest.MonkeyPatch) -> None:
    """It is tried once."""
    end = LinkRecorder.end

    async def once(self: LinkRecorder, link: Any, reason: Any) -> None:
        if not self._replica.lacking.is_set():
            await end(self, link, reason)

    patch.setattr(LinkRecorder, "end", once)


@bug(*A_LINK_TOO_MANY, "every live agent is connected again", *LOST_PACKETS, is_shared=True)
def a_replaced_link_waits_for_one_that_is_elsewhere(patch: pytest.MonkeyPatch) -> None:
    """It is kept, and its server never learns that the newer one has its address."""
    patch.setattr(FollowedLinks, "_follow_elsewhere", lambda *_: None)


@bug(*A_LINK_TOO_MANY, "every live agent is connected again", is_shared=True)
def a_replaced_link_outlives_the_server_of_the_newer_one(patch: pytest.MonkeyPatch) -> None:
    """A server that has ended is no peer any more when its links are dropped."""
    follow = FollowedLinks._follow_elsewhere

    def of_peers(self: FollowedLinks, change: StateChanged) -> None:
        if self._hub.is_peers(change.session):
            follow(self, change)

    patch.setattr(FollowedLinks, "_follow_elsewhere", of_peers)


@bug("an attempt to enrol makes one node", "a node is enrolled once")
def a_lost_reply_to_an_attempt_costs_another_node(patch: pytest.MonkeyPatch) -> None:
    """Its token is drawn anew each time."""
    original, drawn = TokenIds.node_token_of, count()

    def fickle(self: TokenIds, attempt: str, token_id: str) -> str:
        return original(self, f"{attempt}{next(drawn)}", token_id)

    patch.setattr(TokenIds, "node_token_of", fickle)


@bug("an old link's end does not touch a newer one", is_shared=True)
def a_late_close_drops_the_link_at_another_server(patch: pytest.MonkeyPatch) -> None:
    """Whatever link the node has is dropped, not the one that is gone."""

    def careless(links: Links, command: DropLink) -> list[Event]:
        return drop(links, command.node_id, command.reason)

    patch.setattr(links, "decide_drop", careless)


@bug("the hub's links are the log's", "no link outlives its server")
def a_start_forgets_links_of_before(patch: pytest.MonkeyPatch) -> None:
    """What a crash left CONNECTED stays so."""
    patch.setattr(replicas, "drop_owned", lambda *_: [])


@bug("expiry cuts a link for good", is_shared=True)
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


@bug("answers do not differ by port")
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


@bug("the hub's links are the log's", "no link outlives its server", is_shared=True)
def a_refused_end_of_a_link_is_not_asked_for_again(patch: pytest.MonkeyPatch) -> None:
    """A follower takes the leader's lack for one of its own, which never ends."""
    change = Following.change

    async def once(self: Following, command: Any, origin: Any, *, insist: bool) -> list[Event]:
        del insist
        return await change(self, command, origin, insist=False)

    patch.setattr(Following, "change", once)
