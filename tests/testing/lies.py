"""Lies about a good history: an answer is altered, an entry of the log, or what it amounts to."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from nc.pb import events_pb2 as pb
from nc.testing import Answer, History, Redeem, Secret
from nc.testing.contract.history import step_id
from nc.testing.targets.in_process import START_MS
from tests.testing.forged_histories import writing


def token_of_node_1(history: History) -> Secret:
    """It was given out first."""
    return next(step.answer.token for step in history.of(Redeem) if step.answer is not None)


def with_the_token_of_node_1(answer: Answer, history: History) -> Answer:
    """It was given out before."""
    return answer._replace(token=token_of_node_1(history))


def naming_a_token(answer: Answer, history: History) -> Answer:
    return answer._replace(message=f"{token_of_node_1(history)} is well known, yours is not")


def with_a_bit_less_pem(answer: Answer, _: History) -> Answer:
    """One certificate has lost its first letters."""
    grpc, network = answer.certificates
    return answer._replace(certificates=(grpc, network._replace(ca=network.ca[11:])))


def like_an_unknown_one(answer: Answer, history: History) -> Answer:
    """It reads as if another mistake had been made."""
    (other,) = {
        str(step.answer.message)
        for step in history.of(Redeem)
        if step.answer and step.reason == UNKNOWN
    }
    return answer._replace(message=other)


def idle_the_other_way_round(history: History) -> History:
    """The two nodes that went idle first did so in the other order."""
    assert history.log is not None
    entries = [pb.Entry.FromString(entry.SerializeToString()) for entry in history.log.entries]
    first, second, *_ = (
        entry
        for entry in entries
        for event in entry.events
        if event.state_changed.to_state == pb.CONNECTION_STATE_IDLE
    )
    events = list(first.events)
    first.ClearField("events")
    first.events.extend(second.events)
    second.ClearField("events")
    second.events.extend(events)
    return replace(history, log=replace(history.log, entries=entries))


def without_a_release(entry: pb.Entry, _: Any) -> None:
    """The address is not given back."""
    kept = [event for event in entry.events if not event.HasField("address_released")]
    entry.ClearField("events")
    entry.events.extend(kept)


def with_another_replay(history: History) -> History:
    """The log amounts to something else."""
    assert history.log is not None
    return replace(history, log=replace(history.log, replayed_digest=b"something else"))


def in_other_words(answer: Answer, _: History) -> Answer:
    return answer._replace(message="who is that?")


def of_another_link(_: pb.Entry, event: Any) -> None:
    """It is about a link that there was not."""
    event.link_id = "another"


def before_it_expires(entry: pb.Entry, _: Any) -> None:
    """It is recorded at the very beginning."""
    entry.recorded_at_ns = START_MS * 10**6


def as_step(number: int) -> Callable[[pb.Entry, Any], None]:
    """It was another one's doing."""
    return lambda entry, _: setattr(entry, "request_id", step_id(number))


def of_the_first_node(history: History) -> History:
    """All that is released or reclaimed is the first node's, which an operator chose."""
    assert history.log is not None
    entries = [pb.Entry.FromString(entry.SerializeToString()) for entry in history.log.entries]
    events = [event for entry in entries for event in entry.events]
    first = next(event.node_registered for event in events if event.HasField("node_registered"))
    for event in events:
        if event.HasField("address_released"):
            event.address_released.node_id = first.node_id
    return replace(history, log=replace(history.log, entries=entries))


def with_many_before_it(history: History) -> History:
    """The newcomer's token enrolled others just before."""
    assert history.log is not None
    entries = [pb.Entry.FromString(entry.SerializeToString()) for entry in history.log.entries]
    last = [entry for entry in entries if entry.method == "GetToken"][-1]
    others = []
    for number in range(2):
        other = pb.Entry.FromString(last.SerializeToString())
        other.events[0].node_registered.node_id = f"{number}" * 32
        other.events[0].node_registered.name = f"other-{number}"
        other.request_id = f"another {number}"
        others.append(other)
    place = entries.index(last)
    log = replace(history.log, entries=[*entries[:place], *others, *entries[place:]])
    return replace(history, log=log)


def called_db(_: pb.Entry, event: Any) -> None:
    """It is called as another one is."""
    event.name = "db"


def with_a_later_end(_: pb.Entry, event: Any) -> None:
    event.certificates[0].not_after_ms += 1000


def of_another_node(answer: Answer, _: History) -> Answer:
    """A second node was made."""
    return answer._replace(token=Secret("5eed" * 4))


def called_otherwise(answer: Answer, _: History) -> Answer:
    node_id, _name = answer.node
    return answer._replace(node=(node_id, "web-store"))


def used_up_by_one(history: History) -> History:
    """The token was issued for one use."""
    lie = writing("token_issued", lambda _, event: setattr(event, "max_uses", 1))
    return lie(history)


UNKNOWN = "BootstrapTokenUnknown"  # as the model says
