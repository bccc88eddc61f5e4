"""What was asked and answered, with the times of both, as the client has seen them.

It is also written to a file, a JSON object a line, so that it can be judged after a crash. The file
has the tokens of the drill's nodes, as its folder has all keys of the drill.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from nc.testing.contract import administration, operations
from nc.testing.contract.history import Answer, Secret, answer_text, operation_text, step_id
from nc.testing.contract.operations import OK, Facts, Operation, Port

FILE: Final = "record.jsonl"  # in the drill's folder

# What an answer says that did not do what it was asked for (`nc.replica.errors`).
_UNCHANGED = "nothing was changed"

# Codes of answers that are not the contract's: whoever is asked cannot do it now.
_CANNOT = {"500", "UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"}


@dataclass(slots=True)
class Question:
    """One call; times are Unix nanoseconds.

    Attributes:
        server: the machine that was asked.
        answer: None as long as there is none.
    """

    number: int
    server: str
    operation: Operation
    begun_ns: int
    ended_ns: int = 0
    answer: Answer | None = None

    @property
    def code(self) -> str:
        return "" if self.answer is None else self.answer.facts.code

    @property
    def is_ok(self) -> bool:
        return self.code == OK

    @property
    def is_settled(self) -> bool:
        """Whether the answer is the contract's: it was done, or refused for what was asked."""
        return self.answer is not None and self.code not in _CANNOT

    @property
    def is_unchanged(self) -> bool:
        """Whether the answer says that the server could not do it, and changed nothing."""
        return self.answer is not None and not self.is_ok and _UNCHANGED in self.answer.message

    @property
    def request_id(self) -> str:
        return step_id(self.number)

    def line(self, start_ns: int) -> str:
        """For people; without tokens."""
        begun, ended = ((at - start_ns) / 1e9 for at in (self.begun_ns, self.ended_ns))
        asked = operation_text(self.operation, 0)
        return (
            f"{self.number:>6}  {begun:9.3f} to {ended:.3f} s  at {self.server}: "
            f"{asked}  →  {answer_text(self.answer)}"
        )


@dataclass
class Record:
    """Everything that was asked, and what was done to the machines meanwhile.

    Attributes:
        outcome: what was found at the end; {}: it did not come to that.
        file: where it is written to as it grows; None: nowhere.
    """

    start_ns: int = field(default_factory=time.time_ns)
    questions: list[Question] = field(default_factory=list)
    notes: list[tuple[int, str]] = field(default_factory=list)
    outcome: Mapping[str, Any] = field(default_factory=dict)
    file: Path | None = None

    def __post_init__(self) -> None:
        if self.file is not None:
            self.file.touch(mode=0o600)
            self._write(start_ns=self.start_ns)

    def begin(self, server: str, operation: Operation) -> Question:
        question = Question(len(self.questions) + 1, server, operation, time.time_ns())
        self.questions.append(question)
        asked = {"asks": type(operation).__name__, "with": asdict(operation)}
        self._write(number=question.number, at_ns=question.begun_ns, server=server, **asked)
        return question

    def answered(self, question: Question, answer: Answer) -> None:
        question.answer, question.ended_ns = answer, time.time_ns()
        said = answer._asdict() | {"facts": answer.facts._asdict()}
        del said["certificates"]  # no law is about them
        self._write(answered=question.number, at_ns=question.ended_ns, answer=said)

    def note(self, text: str) -> None:
        """Something was done to the machines; printed."""
        self.notes.append((time.time_ns(), text))
        self._write(note=text, at_ns=self.notes[-1][0])
        print(self.note_line(self.notes[-1]), flush=True)

    def end(self, outcome: Mapping[str, Any]) -> None:
        self.outcome = outcome
        self._write(outcome=outcome)

    def note_line(self, note: tuple[int, str]) -> str:
        return f"{(note[0] - self.start_ns) / 1e9:9.3f} s  {note[1]}"

    def _write(self, **fields: Any) -> None:
        if self.file is not None:
            with self.file.open("a") as file:
                file.write(json.dumps(fields, default=_plain) + "\n")


def read_record(file: Path) -> Record:
    """What was written to a file; a last line that a crash has cut is left out."""
    lines = file.read_text().split("\n")[:-1]
    record = Record(json.loads(lines[0])["start_ns"])
    for line in lines[1:]:
        match json.loads(line):
            case {"number": number, "at_ns": at_ns, "server": server, "asks": kind, "with": given}:
                operation = _operation(kind, given)
                record.questions.append(Question(number, server, operation, at_ns))
            case {"answered": number, "at_ns": at_ns, "answer": said}:
                question = record.questions[number - 1]
                question.answer, question.ended_ns = _answer(said), at_ns
            case {"note": text, "at_ns": at_ns}:
                record.notes.append((at_ns, text))
            case {"outcome": outcome}:
                record.outcome = outcome
    return record


def _plain(value: Port) -> str:
    return str(value.value)


def _operation(kind: str, given: dict[str, Any]) -> Operation:
    made = getattr(operations, kind, None) or getattr(administration, kind)
    if "port" in given:
        given["port"] = Port(given["port"])
    operation: Operation = made(**given)
    return operation


def _answer(said: dict[str, Any]) -> Answer:
    facts = Facts(**said["facts"] | {"said": tuple(said["facts"]["said"])})
    token, node = Secret(said["token"]), tuple(said["node"])
    return Answer(**said | {"facts": facts, "token": token, "node": node})
