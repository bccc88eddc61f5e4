"""Laws about the log: it has each acknowledged change once, in an order that is possible."""

from collections.abc import Iterator
from typing import Final

from nc.pb import events_pb2 as pb
from nc.testing.contract.knowledge import Observed
from nc.testing.contract.laws.law import Evidence, law
from nc.testing.contract.log_walk import walk


@law(needs_log=True)
def a_refused_command_changes_nothing(observed: Observed) -> Iterator[Evidence]:
    """What was refused, and what only asked, left no event."""
    left = _events_by_request(observed)
    for step in observed.history.steps if left else ():
        if step.answer is not None and (step.operation.reads or not step.is_ok):
            yield Evidence(not left.get(step.request_id), step)


@law(needs_log=True)
def an_acknowledged_change_is_in_the_log_once(observed: Observed) -> Iterator[Evidence]:
    """What was answered with success left the events that the contract lists, just once."""
    left = _events_by_request(observed)
    for step in observed.history.steps if left else ():
        wanted = step.operation.event
        if step.is_ok and wanted:
            kinds = left.get(step.request_id, [])
            yield Evidence(kinds.count(wanted) == 1 and len(kinds) <= _MOST_EVENTS, step)


_MOST_EVENTS: Final = 4  # an address moves twice, is bound, and the state changes


def _events_by_request(observed: Observed) -> dict[str, list[str]]:
    """The kinds of the events that each request left; {} if no log is shown."""
    found: dict[str, list[str]] = {}
    for entry in observed.history.entries:
        kinds = [event.WhichOneof("kind") or "" for event in entry.events]
        found.setdefault(entry.request_id, []).extend(kinds)
    return found


_MOVES: Final = {
    (pb.CONNECTION_STATE_IDLE, pb.CONNECTION_STATE_INIT),
    (pb.CONNECTION_STATE_INIT, pb.CONNECTION_STATE_CONNECTED),
    (pb.CONNECTION_STATE_INIT, pb.CONNECTION_STATE_IDLE),
    (pb.CONNECTION_STATE_CONNECTED, pb.CONNECTION_STATE_IDLE),
}


@law(needs_log=True)
def states_move_along_the_machine(observed: Observed) -> Iterator[Evidence]:
    """IDLE to INIT to CONNECTED, and back to IDLE: each change begins where the last one ended."""
    for place in walk(observed.history):
        if place.kind == "state_changed":
            event = place.event
            was = place.before.states.get(event.node_id, pb.CONNECTION_STATE_IDLE)
            link = place.before.link_ids.get(event.node_id, event.link_id)
            is_move = (event.from_state, event.to_state) in _MOVES
            yield Evidence(is_move and event.from_state == was and event.link_id == link, place)


@law(needs_log=True)
def who_is_gone_holds_nothing(observed: Observed) -> Iterator[Evidence]:
    """A node that is unregistered has no link and no address, and nothing happens to it again."""
    for place in walk(observed.history):
        node_id = getattr(place.event, "node_id", None)
        if node_id is not None and place.kind != "node_forgotten":
            before = place.before
            is_first = place.kind == "node_registered"
            yield Evidence(node_id not in place.background.left, place)
            yield Evidence(is_first != (node_id in before.states), place)
            if place.kind == "unregistered":
                has_address = node_id in before.holders.values()
                yield Evidence(node_id not in before.link_ids and not has_address, place)


@law(needs_log=True)
def only_dead_tokens_are_forgotten(observed: Observed) -> Iterator[Evidence]:
    """The sweep lets go of bootstrap tokens that expired or were revoked, and of no others."""
    for place in walk(observed.history):
        if place.kind == "token_expired":
            expires_at_ms = place.background.expires_at_ms.get(place.event.token_id, 0)
            now_ms = place.entry.recorded_at_ns // 1_000_000
            yield Evidence(0 < expires_at_ms <= now_ms, place)


@law(needs_log=True)
def replay_equals_live(observed: Observed) -> Iterator[Evidence]:
    """Reading the log from its beginning gives the state that is serving."""
    log = observed.history.log
    if log is not None and log.live_digest is not None:
        yield Evidence(log.live_digest == log.replayed_digest, "the end of the history")
