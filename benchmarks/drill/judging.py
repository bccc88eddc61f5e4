"""Judges a drill by the laws: what clients were answered, agents were given, and the log has.

The log has the order of all changes. So there must be a place in it for each question, at which the
answer was true, and which is not before anything that was acknowledged or seen before the
question was asked. The first such place is taken: any later one forbids more of what follows.

What was only seen counts after two seconds: a follower may show a change that is not acknowledged
yet, and another one may lack it for as long as its lease goes on.
"""

import heapq
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from benchmarks.drill.past import Facts, NodeFacts, Past, TokenFacts
from benchmarks.drill.record import Question, Record
from nc.replica.leases import FOLLOWER_LEASE_S
from nc.testing.contract.administration import Describe, NodeCall, RevokeToken, UpdateNode
from nc.testing.contract.history import History, LogView, Sighting, Step
from nc.testing.contract.judgement import Judgement, judge
from nc.testing.contract.laws import Law, addresses, calls, cluster, log, operators, order, tokens
from nc.testing.contract.laws.law import sighted
from nc.testing.contract.operations import (
    CheckState,
    GetAddress,
    IssueToken,
    Query,
    Redeem,
    Unregister,
)
from nc.testing.contract.values import Moment

_MS: Final = 1_000_000
_REFUSALS: Final = {"400", "NOT_FOUND", "FAILED_PRECONDITION"}
_SEEN_NS: Final = int((FOLLOWER_LEASE_S + 0.5) * 1e9)
_BUSY: Final = {"RESOURCE_EXHAUSTED"}


def _law(name: str, sentence: str) -> Law:
    return Law(name, sentence, lambda observed: sighted(name, observed))


LOST: Final = _law(
    "nothing acknowledged is lost", "What was answered with success is in the log, just once."
)
ORDER: Final = _law(
    "changes are in the order of their answers",
    "A change that was asked for after another one was answered or seen is after it in the log.",
)
CODES: Final = _law(
    "only what is wrong is refused", "A refusal is true at some place in the log, too."
)
IN_SERVICE: Final = _law(
    "nobody ends in service", "No server that was started ends before it is asked to."
)
LAWS: Final = (
    *(LOST, order.answers_are_never_stale, ORDER, CODES, IN_SERVICE),
    *(cluster.KEEPS_ADDRESS, cluster.GOES_ON, cluster.ALL_BACK),
    *(log.an_acknowledged_change_is_in_the_log_once, log.a_refused_command_changes_nothing),
    *(log.states_move_along_the_machine, log.who_is_gone_holds_nothing),
    *(log.only_dead_tokens_are_forgotten, tokens.a_token_lets_in_no_more_than_its_terms_say),
    *(tokens.every_token_is_new, operators.no_two_nodes_have_one_name),
    *(calls.no_message_holds_a_token, addresses.an_address_is_one_for_nodes),
)


class Contradiction(NamedTuple):
    question: Question
    law: Law
    what: str
    subject: str
    floor: int
    because: Question | None  # the answer that raised the floor


class Judge:
    """Judges one record.

    Args:
        agents: the ids of the agents' nodes, by their names.
    """

    def __init__(self, record: Record, past: Past, agents: dict[str, str]) -> None:
        self._record, self._past = record, past
        self._ids = dict(agents)
        self._floor = 0
        self._raised_by: Question | None = None
        self._seen: deque[tuple[int, int, Question]] = deque()  # from when on it counts
        self._floors: dict[int, tuple[int, Question | None]] = {}
        self.contradictions: list[Contradiction] = []
        self.held: Counter[Law] = Counter()
        self._learn_ids()

    def _learn_ids(self) -> None:
        for question in self._record.questions:
            operation: Any = question.operation
            for left in self._past.left.get(question.request_id, ()):
                if left.kind == "node_registered":
                    self._ids[operation.node] = left.subject
                elif left.kind == "token_issued":
                    self._ids[operation.token] = left.subject

    def run(self) -> None:
        """Go through all beginnings and ends in their order; a beginning before an end."""
        questions = self._record.questions
        begun = ((q.begun_ns, 0, q.number) for q in questions)
        ended = sorted((q.ended_ns, 1, q.number) for q in questions if q.ended_ns)
        for _, is_end, number in heapq.merge(sorted(begun), ended):
            question = questions[number - 1]
            if not is_end:
                while self._seen and self._seen[0][0] <= question.begun_ns:
                    self._raise_floor(*self._seen.popleft()[1:])
                self._floors[number] = self._floor, self._raised_by
            elif question.is_settled and question.code not in _BUSY:
                self._judge(question, *self._floors.pop(number))

    def _judge(self, question: Question, floor: int, because: Question | None) -> None:
        operation, past = question.operation, self._past
        left = past.left.get(question.request_id, [])
        subject = self._subject(question)
        if question.is_ok and not operation.reads:
            kinds = Counter(each.kind for each in left)
            wanted = _WANTED.get(type(operation), "")
            is_there = kinds[wanted] == 1
            self._saw(LOST, question, is_there, f"the log has {dict(kinds)} of it", floor, because)
            if is_there:
                seq = next(each.seq for each in left if each.kind == wanted)
                what = f"its event is in the record that ends with {seq}"
                self._saw(ORDER, question, seq > floor, what, floor, because)
                self._raise_floor(seq, question)
            return
        law = order.answers_are_never_stale if operation.reads else CODES
        if question.code not in {"200", *_REFUSALS}:
            self._saw(CODES, question, False, "this is no answer to it", floor, because)
            return
        last = past.known_by(question.ended_ns)
        place = past.first(subject, floor, last, _expectation(question))
        what = f"no place from event {floor} to {last} explains it"
        self._saw(law, question, place is not None, what, floor, because)
        if place is not None:
            self._seen.append((question.ended_ns + _SEEN_NS, place, question))

    def _raise_floor(self, seq: int, question: Question) -> None:
        if seq > self._floor:
            self._floor, self._raised_by = seq, question

    def _subject(self, question: Question) -> str:
        """The id of the node or token that an answer is about."""
        operation: Any = question.operation
        is_about_node = isinstance(operation, Query | NodeCall | Unregister)
        name = operation.node if is_about_node else operation.token
        return self._ids.get(name, str(name))

    def _saw(
        self,
        law: Law,
        question: Question,
        holds: bool,
        what: str,
        floor: int,
        because: Question | None,
    ) -> None:
        if holds:
            self.held[law] += 1
        else:
            subject = self._subject(question)
            self.contradictions.append(Contradiction(question, law, what, subject, floor, because))

    def history(self) -> History:
        """As the harness has it: each question as a step, and what was seen of its laws."""
        history = History(is_cluster=True)
        for question in self._record.questions:
            is_open = not (question.is_settled or question.is_unchanged)
            moment = Moment(question.begun_ns // _MS, question.ended_ns // _MS)
            answer = None if is_open else question.answer
            number = question.number
            history.add(Step(number, number, question.operation, moment, answer))
        history.log = LogView(self._past.entries, None, None)
        history.held.update({law.name: count for law, count in self.held.items()})
        for each in self.contradictions:
            at_s = (each.question.ended_ns - self._record.start_ns) / 1e9
            what = f"{each.question.line(self._record.start_ns).strip()}: {each.what}"
            history.saw(each.law.name, Sighting(what, at_s, each.floor), holds=False)
        return history

    def story(self, found: Contradiction) -> Iterator[str]:
        """What led to a contradiction, in lines."""
        start_ns, question = self._record.start_ns, found.question
        yield f"contradiction: {found.law.name}"
        yield f"  the law: {found.law.sentence}"
        yield question.line(start_ns)
        yield f"        {found.what}"
        if found.because is not None:
            yield f"  event {found.floor} was known by then, from"
            yield found.because.line(start_ns)
        last = self._past.known_by(question.ended_ns)
        yield f"  the log of {found.subject} (times are Unix seconds; the drill began at "
        yield f"  {start_ns / 1e9:.3f}):"
        yield from (
            f"        {line}" for line in self._past.story(found.subject, found.floor, last)
        )
        near = range(question.begun_ns - _NEAR_NS, question.ended_ns + _NEAR_NS)
        yield "  what was done to the machines:"
        yield from (
            f"        {self._record.note_line(note)}"
            for note in self._record.notes
            if note[0] in near
        )
        yield "  what else was asked about it:"
        yield from (
            each.line(start_ns)
            for each in self._record.questions
            if each.begun_ns in near and self._subject(each) == found.subject
        )


_NEAR_NS: Final = 20_000_000_000

_WANTED: Final = {
    IssueToken: "token_issued",
    Redeem: "node_registered",
    Unregister: "unregistered",
    UpdateNode: "node_updated",
    RevokeToken: "token_revoked",
}


def _expectation(question: Question) -> Callable[[Facts], bool]:
    """What is so of the node or the token where an answer is true."""
    if not question.is_ok:
        if isinstance(question.operation, Redeem):
            return lambda facts: not (isinstance(facts, TokenFacts) and facts.is_live)
        return lambda facts: facts is None
    assert question.answer is not None
    said = question.answer.facts

    def is_told(facts: Facts) -> bool:
        if not isinstance(facts, NodeFacts):
            return False
        match question.operation:
            case CheckState():
                return (said.state, said.address) == (facts.state, facts.address)
            case GetAddress():
                return said.address == facts.address
            case Describe():
                return (said.address, said.said[1]) == (facts.address, facts.label)
        return False

    return is_told


def judged(judge_: Judge, add: Callable[[History], None]) -> Judgement:
    """Judge by all laws.

    Args:
        judge_: has run.
        add: adds what was seen elsewhere.
    """
    history = judge_.history()
    add(history)
    return judge(history, LAWS)
