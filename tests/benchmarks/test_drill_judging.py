"""The drill's judge: what it takes for a contradiction, and what it does not."""

from collections.abc import Sequence

import pytest

from benchmarks.drill.judging import CODES, LOST, ORDER, Contradiction, Judge
from benchmarks.drill.past import Past, read_past
from benchmarks.drill.record import Question, Record
from eventlog import MemoryLog
from nc.domain.events import Event, pb
from nc.testing.contract.history import Answer, Secret, step_id
from nc.testing.contract.laws import Law
from nc.testing.contract.laws.order import answers_are_never_stale
from nc.testing.contract.operations import (
    OK,
    CheckState,
    Facts,
    IssueToken,
    Operation,
    Port,
    Redeem,
    Unregister,
)
from nc.testing.contract.values import IDLE

STEP_NS = 1_000_000_000
REFUSED = Facts("400", IDLE, "")
IDLE_NODE = Facts(OK, IDLE, "")


def asked(
    number: int, operation: Operation, begun: float, ended: float, facts: Facts | None
) -> Question:
    """A question, and its answer; times are steps."""
    answer = None if facts is None else Answer(facts, "ok", Secret())
    begun_ns, ended_ns = int(begun * STEP_NS), int(ended * STEP_NS)
    return Question(number, "a", operation, begun_ns, ended_ns, answer)


def logged(*entries: tuple[float, int, Event]) -> Past:
    """A log: when an entry was recorded, which question has left it, and its event."""
    log = MemoryLog()
    for at, number, event in entries:
        entry = pb.Entry(recorded_at_ns=int(at * STEP_NS), request_id=step_id(number))
        entry.events.append(event)
        log.append(pb.Batch(entries=[entry]).SerializeToString(), 1, log.last_seq)
    return read_past(log.read())


def issued(token_id: str) -> Event:
    return Event(token_issued=pb.TokenIssued(token_id=token_id))


def revoked(token_id: str) -> Event:
    return Event(token_revoked=pb.TokenRevoked(token_id=token_id))


def registered() -> Event:
    return Event(node_registered=pb.NodeRegistered(node_id="n"))


def unregistered() -> Event:
    return Event(unregistered=pb.Unregistered(node_id="n"))


WHOLE = ((1.1, 1, issued("t")), (2.1, 2, registered()), (4.1, 3, unregistered()))
BEGINNING = (
    asked(1, IssueToken("token 1", 9), 1, 1.5, Facts(OK)),
    asked(2, Redeem("token 1", "node 1", Port.CONTROL), 2, 2.5, Facts(OK)),
    asked(3, Unregister("node 1"), 4, 4.5, Facts(OK, result=True)),
)


def contradictions(past: Past, questions: Sequence[Question]) -> list[Contradiction]:
    judge = Judge(Record(0, [*questions]), past, {})
    judge.run()
    for found in judge.contradictions:
        assert any(found.law.sentence in line for line in judge.story(found))
    return judge.contradictions


def laws_broken(past: Past, *more: Question) -> list[Law]:
    return [found.law for found in contradictions(past, (*BEGINNING, *more))]


def query(begun: float, ended: float, facts: Facts, number: int = 4) -> Question:
    return asked(number, CheckState("node 1"), begun, ended, facts)


@pytest.mark.parametrize(
    ("question", "is_right"),
    [
        (query(3, 3.5, IDLE_NODE), True),
        (query(3, 3.5, REFUSED), False),  # after the registration was acknowledged
        (query(2, 2.2, REFUSED), True),  # meanwhile either
        (query(2, 2.2, IDLE_NODE), True),
        (query(2, 2.05, IDLE_NODE), False),  # before anybody can have known of it
        (query(4, 4.2, IDLE_NODE), True),
        (query(5, 5.5, IDLE_NODE), False),  # after it was acknowledged that the node is gone
        (query(5, 5.5, REFUSED), True),
        (query(3, 3.5, Facts(OK, IDLE, "10.1.1.3")), False),  # which it never had
        (query(3, 3.5, Facts("UNAVAILABLE")), True),  # says nothing
    ],
)
def test_an_answer_is_true_at_a_place_after_all_that_was_known(
    question: Question, is_right: bool
) -> None:
    """Of what was acknowledged before the question was asked, nothing is missing in an answer."""
    assert laws_broken(logged(*WHOLE), question) == [answers_are_never_stale] * (not is_right)


def test_no_answer_is_much_older_than_one_before() -> None:
    """Two seconds after anybody was answered that the node is gone, nobody finds it there."""
    silent = (*BEGINNING[:2], asked(3, Unregister("node 1"), 4, 9, Facts("500")))
    gone = query(4.2, 4.4, REFUSED)
    for begun, is_right in ((5, True), (6.5, False)):
        there = query(begun, begun + 0.2, IDLE_NODE, 5)
        found = contradictions(logged(*WHOLE), (*silent, gone, there))
        assert [each.law for each in found] == [answers_are_never_stale] * (not is_right)


def test_what_was_acknowledged_is_in_the_log_once() -> None:
    """It is lost if the log does not have it, and contradicted if it has it twice."""
    assert LOST in laws_broken(logged(*WHOLE[:2]))
    twice = logged(WHOLE[0], (1.2, 1, issued("u")), *WHOLE[1:])
    assert LOST in laws_broken(twice)


def test_changes_are_in_the_order_of_their_answers() -> None:
    """What was asked for after another change was acknowledged is after it in the log."""
    late = asked(4, IssueToken("token 2", 9), 5, 5.5, Facts(OK))
    before = (3.9, 4, issued("u"))
    assert laws_broken(logged(*WHOLE[:2], before, WHOLE[2]), late) == [ORDER]
    assert not laws_broken(logged(*WHOLE, before), late)


def test_a_refusal_is_true_too() -> None:
    """A token that was issued, and is not revoked, is not refused."""
    refused = asked(4, Redeem("token 1", "node 2", Port.CONTROL), 3, 3.5, Facts("400"))
    assert laws_broken(logged(*WHOLE), refused) == [CODES]
    past = logged(*WHOLE[:2], (2.9, 9, revoked("t")), WHOLE[2])
    assert not laws_broken(past, refused)


def test_what_was_not_answered_may_have_happened_or_not() -> None:
    """Nothing follows from silence, nor from an answer that leaves it open."""
    for facts in (None, Facts("500")):
        open_ = (*BEGINNING[:2], asked(3, Unregister("node 1"), 4, 4.5, facts))
        for past in (logged(*WHOLE), logged(*WHOLE[:2])):
            assert not contradictions(past, open_)
