"""Laws about links: one a node, ended by what ends them, and never by an older one."""

from collections.abc import Iterator
from typing import Final

from nc.pb import events_pb2 as pb
from nc.testing.contract import operations as ops
from nc.testing.contract import values
from nc.testing.contract.happenings import Wait
from nc.testing.contract.history import Observation, Step
from nc.testing.contract.knowledge import Observed, Phase, Use
from nc.testing.contract.laws.law import Evidence, law
from nc.testing.contract.link_states import link_states
from nc.testing.contract.log_walk import walk, written


@law()
def connected_means_one_live_link(observed: Observed) -> Iterator[Evidence]:
    """A node is CONNECTED or INIT just as long as its newest link lives, and IDLE without.

    Its own end sees the same: an older link carries packets until the newest does, and is closed.
    """
    for step, state, was_closed_late in _states(observed):
        if not was_closed_late:
            yield Evidence(step.facts.state == state, step)
    for step, _, phase in _state_queries(observed):
        is_known = phase is Phase.GONE or (phase is Phase.LIVE and step.is_ok)
        links = step.answer.links if step.answer is not None else None
        if is_known and links is not None:
            yield Evidence(links in _LINKS_AT_ITS_END.get(step.facts.state, {0}), step)


# INIT outlives a refusal
_LINKS_AT_ITS_END: Final[dict[int | None, set[int]]] = {
    values.CONNECTED: {1},
    values.INIT: {0, 1, 2},
}


@law()
def an_old_link_s_end_does_not_touch_a_newer_one(observed: Observed) -> Iterator[Evidence]:
    """The newer link wins, and what comes late of the older one changes nothing."""
    for step, state, was_closed_late in _states(observed):
        if was_closed_late:
            yield Evidence(step.facts.state == state, step)
    # In the log: what a link's own server records has the link's id as its request id.
    superseded: dict[str, object] = {}
    for place in walk(observed.history):
        if place.entry.request_id in superseded:
            yield Evidence(False, place)
        if place.kind == "state_changed" and place.event.reason == _SUPERSEDED:
            superseded[place.event.link_id] = place.seq
    yield from (Evidence(True, link) for link in superseded)


_SUPERSEDED: Final = pb.STATE_CHANGE_REASON_LINK_SUPERSEDED


def _states(observed: Observed) -> Iterator[tuple[Step, int, bool]]:
    """Each answer about a live node's state, and the state that its link must have."""
    live = {
        step.number
        for step, _, phase in _state_queries(observed)
        if phase is Phase.LIVE and step.is_ok
    }
    for step, link in link_states(observed.history) if live else ():
        if step.number in live and link.state is not None:
            yield step, link.state, link.closed_late


def _state_queries(observed: Observed) -> Iterator[Use]:
    """The CheckStates; none of a cluster, whose agents open links by themselves."""
    for use in observed.nodes if not observed.history.is_cluster else ():
        if isinstance(use.step.operation, ops.CheckState):
            yield use


@law()
def no_link_outlives_its_server(observed: Observed) -> Iterator[Evidence]:
    """After a crash or a restart every node is IDLE until it connects again.

    In the log a start and a stop leave no link but those of servers that go on.
    """
    opened = _rounds_with_new_links(observed)
    fresh: dict[str, bool] = {}
    for item in observed.history.items:
        if isinstance(item, Observation):
            if not isinstance(item.happening, Wait):
                fresh = dict.fromkeys(fresh, True)
        elif isinstance(item.operation, ops.OpenLink):
            fresh[item.operation.node] = False
        elif (
            isinstance(item.operation, ops.CheckState)
            and fresh.get(item.operation.node)
            and (item.operation.node, item.round) not in opened
            and item.is_ok
        ):
            yield Evidence(item.facts.state == values.IDLE, item)
    for each in written(observed.history):
        for event in each.entry.events if each.before else ():
            owners = set(each.after.values())
            if event.HasField("replica_started"):
                yield Evidence(owners <= each.sessions, each)
            elif event.HasField("replica_stopped"):
                yield Evidence(event.replica_stopped.session not in owners, each)


def _rounds_with_new_links(observed: Observed) -> set[tuple[str, int]]:
    """Nodes, and the rounds in which they may have got a new link."""
    operations = ((step.operation, step.round) for step in observed.history.steps)
    return {(o.node, number) for o, number in operations if isinstance(o, ops.OpenLink)}


@law()
def expiry_cuts_a_link_for_good(observed: Observed) -> Iterator[Evidence]:
    """A node that expired is IDLE when it is revived, until it connects again.

    The sweep has closed its link.
    """
    for swept in observed.history.of(ops.Sweep):
        if swept.answer is not None and swept.answer.links is not None:
            yield Evidence(swept.answer.links == 0, swept)
    opened = _rounds_with_new_links(observed)
    refused_ms: dict[str, int] = {}  # when a node was last known to have expired
    for step, node, phase in observed.nodes if not observed.history.is_cluster else ():
        if isinstance(step.operation, ops.OpenLink):
            refused_ms.pop(node, None)
        elif phase is Phase.EXPIRED:
            refused_ms[node] = step.moment.latest_ms
        elif (
            phase is Phase.LIVE
            and isinstance(step.operation, ops.CheckState)
            and step.is_ok
            and (node, step.round) not in opened
            # a clock that was set back would have revived it, too
            and refused_ms.get(node, step.moment.latest_ms + 1) <= step.moment.earliest_ms
        ):
            yield Evidence(step.facts.state == values.IDLE, step)
    yield from _expiries_in_the_log(observed)


def _expiries_in_the_log(observed: Observed) -> Iterator[Evidence]:
    """A node that had expired has no link once another expiry is set."""
    asked = {step.request_id: step.moment.earliest_ms for step in observed.history.steps}
    expires_ms: dict[str, int] = {}
    for each in written(observed.history):
        entry = each.entry
        # by every clock that was read meanwhile
        now_ms = min(asked.get(entry.request_id, 0), entry.recorded_at_ns // 1_000_000)
        for event in entry.events:
            if event.HasField("expiry_changed"):
                node_id = event.expiry_changed.node_id
                if 0 < expires_ms.get(node_id, 0) <= now_ms:
                    yield Evidence(node_id not in each.after, each)
                expires_ms[node_id] = event.expiry_changed.expires_at_ms
