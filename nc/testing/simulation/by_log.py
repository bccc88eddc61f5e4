"""Laws of `nc.testing.laws` whose own checks need links that a client opened: here by the log.

The log has every link, whoever's agent opened it at whichever server, and who ended it: what a
link's own server records has the link's id as its request id.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final, NamedTuple

from nc.pb import events_pb2 as pb
from nc.testing.certainties import Life, Observed, caller_of
from nc.testing.history import Step
from nc.testing.laws import LAWS, Check, Finding
from nc.testing.operations import ADMIN, CheckHealth, Redeem
from nc.testing.overlay import assignable


class _Written(NamedTuple):
    """An entry of the log, and the nodes' links before and after it."""

    seq: int  # of its first event
    entry: pb.Entry
    before: dict[str, str]
    after: dict[str, str]

    def __str__(self) -> str:
        return f"event {self.seq}, {self.entry.method}"


def _written(seen: Observed) -> Iterator[_Written]:
    links: dict[str, str] = {}
    seq = 1
    for entry in seen.history.log.entries if seen.history.log is not None else ():
        before = dict(links)
        for event in entry.events:
            change = event.state_changed
            if change.to_state == pb.CONNECTION_STATE_IDLE:
                links.pop(change.node_id, None)
            elif event.HasField("state_changed"):
                links[change.node_id] = change.link_id
        yield _Written(seq, entry, before, dict(links))
        seq += len(entry.events)


def _an_old_link_s_end(seen: Observed) -> Iterator[Finding]:
    """Nothing comes of a link once a newer one has taken over."""
    over: dict[str, _Written] = {}  # links, and where each was superseded
    for written in _written(seen):
        if written.entry.request_id in over:
            yield Finding(False, written)
        for event in written.entry.events:
            change = event.state_changed
            if change.reason == pb.STATE_CHANGE_REASON_LINK_SUPERSEDED:
                over[change.link_id] = written
    yield from (Finding(True, written) for written in over.values())


def _no_link_outlives_its_server(seen: Observed) -> Iterator[Finding]:
    """A start and a stop leave every node idle; where servers share a log, the others' too."""
    for written in _written(seen):
        kinds = {event.WhichOneof("kind") for event in written.entry.events}
        if written.before and kinds & {"replica_started", "replica_stopped"}:
            yield Finding(not written.after, written)


def _expiry_cuts_a_link_for_good(seen: Observed) -> Iterator[Finding]:
    """Whoever had expired has no link once another expiry is set."""
    asked = {step.request_id: step.moment.earliest_ms for step in seen.history.steps}
    expires_ms: dict[str, int] = {}
    for written in _written(seen):
        entry = written.entry
        # by every clock that was looked at meanwhile
        now_ms = min(asked.get(entry.request_id, 0), entry.recorded_at_ns // 1_000_000)
        for event in entry.events:
            if event.HasField("expiry_changed"):
                node_id = event.expiry_changed.node_id
                if 0 < expires_ms.get(node_id, 0) <= now_ms:
                    yield Finding(node_id not in written.after, written)
                expires_ms[node_id] = event.expiry_changed.expires_at_ms


def _an_address_stays_with_its_node(seen: Observed) -> Iterator[Finding]:
    """The law's own check, as long as there were addresses for all."""
    reclaimed = pb.ADDRESS_RELEASE_REASON_RECLAIMED
    events = (event for written in _written(seen) for event in written.entry.events)
    if not any(event.address_released.reason == reclaimed for event in events):
        yield from _by_answers("an address stays with its node")(seen)


def _an_address_is_one_for_nodes(seen: Observed) -> Iterator[Finding]:
    """What is bound is one of those that the network has for nodes."""
    good = set(assignable(seen.history.network))
    for written in _written(seen):
        for event in written.entry.events:
            if event.HasField("address_bound"):
                yield Finding(event.address_bound.address in good, written)


def _answers_do_not_differ_by_port(seen: Observed) -> Iterator[Finding]:
    """Asked the same one right after the other; of a token, while nothing becomes of it."""
    lives = {use.step.number: use.life for use in seen.bootstrap_tokens}
    asked = [s for s in seen.history.of(Redeem, CheckHealth) if caller_of(s) in {"", ADMIN}]
    for before, step in pairwise(asked):
        if _asks_the_other_port(before, step) and (
            lives.get(before.number) == lives.get(step.number) in {None, Life.LIVE, Life.UNKNOWN}
        ):
            is_same = step.code == before.code and _message(step) == _message(before)
            yield Finding(is_same, step)


def _asks_the_other_port(before: Step, step: Step) -> bool:
    first, second = (_question(each) for each in (before, step))
    return step.round == before.round + 1 and first[0] == second[0] and first[1] != second[1]


def _question(step: Step) -> tuple[object, object]:
    operation: Any = step.operation
    return (type(operation), getattr(operation, "token", "")), operation.port


def _message(step: Step) -> str:
    return step.answer.message if step.answer is not None else ""


def _by_answers(name: str) -> Check:
    return next(law.check for law in LAWS if law.name == name)


CHECKS: Final = {
    "an old link's end does not touch a newer one": _an_old_link_s_end,
    "no link outlives its server": _no_link_outlives_its_server,
    "expiry cuts a link for good": _expiry_cuts_a_link_for_good,
    "an address stays with its node": _an_address_stays_with_its_node,
    "an address is one for nodes": _an_address_is_one_for_nodes,
    "answers do not differ by port": _answers_do_not_differ_by_port,
}
