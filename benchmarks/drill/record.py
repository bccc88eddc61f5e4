"""What was asked and answered, with the times of both, as the client has seen them."""

import time
from dataclasses import dataclass, field

from nc.testing.contract.history import Answer, answer_text, operation_text, step_id
from nc.testing.contract.operations import OK, Operation

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
    """Everything that was asked, and what was done to the machines meanwhile."""

    start_ns: int = field(default_factory=time.time_ns)
    questions: list[Question] = field(default_factory=list)
    notes: list[tuple[int, str]] = field(default_factory=list)

    def begin(self, server: str, operation: Operation) -> Question:
        question = Question(len(self.questions) + 1, server, operation, time.time_ns())
        self.questions.append(question)
        return question

    def note(self, text: str) -> None:
        """Something was done to the machines; printed."""
        self.notes.append((time.time_ns(), text))
        print(self.note_line(self.notes[-1]), flush=True)

    def note_line(self, note: tuple[int, str]) -> str:
        return f"{(note[0] - self.start_ns) / 1e9:9.3f} s  {note[1]}"
