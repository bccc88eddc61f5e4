"""Calls of a simulated cluster's clients, as the steps of its history.

Calls that overlap are a round. A name that was given out must not be used in its own round, so a
call waits where it would be.
"""

import asyncio
from dataclasses import dataclass

from nc.testing.contract.history import Answer, Step, operation_text, step_id
from nc.testing.contract.operations import Operation
from nc.testing.contract.values import Moment
from nc.testing.targets.in_process import START_MS


@dataclass
class CallRecord:
    """A call, under way or answered."""

    number: int
    operation: Operation
    begun_ms: int
    begun: int  # in the order of all beginnings and ends
    begun_s: float
    known_seq: int  # the last event that the caller may know of
    ended_ms: int = 0
    ended: int = 0
    answer: Answer | None = None
    answered_seq: int = 0  # the last event that the answering server knows of

    @property
    def request_id(self) -> str:
        return step_id(self.number)

    def __str__(self) -> str:
        return operation_text(self.operation, START_MS)


class Calls:
    def __init__(self) -> None:
        self.ended: list[CallRecord] = []
        self._ticks = 0
        self._under_way: list[CallRecord] = []
        self._count = 0
        self._has_new_names = False  # given out since the last moment without a call
        self._all_answered = asyncio.Event()

    @property
    def must_wait(self) -> bool:
        """Whether a name was given out in this round, so that the next call needs another one."""
        return bool(self._under_way) and self._has_new_names

    async def wait_for_round(self) -> None:
        while self.must_wait:
            await self._all_answered.wait()

    def begin(self, operation: Operation, now_ms: int, at_s: float, known_seq: int) -> CallRecord:
        self._count += 1
        self._has_new_names = self._has_new_names and bool(self._under_way)
        call = CallRecord(self._count, operation, now_ms, self._tick(), at_s, known_seq)
        self._under_way.append(call)
        self._all_answered.clear()
        return call

    def end(self, call: CallRecord, answer: Answer | None, now_ms: int) -> None:
        if call not in self._under_way:
            return  # given up
        self._under_way.remove(call)
        if not self._under_way:
            self._all_answered.set()
        call.ended, call.ended_ms, call.answer = self._tick(), now_ms, answer
        self._has_new_names |= answer is not None and bool(answer.token)
        self.ended.append(call)

    def give_up(self, now_ms: int) -> None:
        """End all calls that are under way: what is answered from now on is not looked at."""
        for call in list(self._under_way):
            self.end(call, None, now_ms)

    def steps(self) -> list[Step]:
        found: list[Step] = []
        round_, ends = 0, 0
        for call in sorted(self.ended, key=lambda each: each.number):
            if call.begun > ends:
                round_ += 1
            ends = max(ends, call.ended)
            moment = Moment(*sorted((call.begun_ms, call.ended_ms)))
            found.append(Step(call.number, round_, call.operation, moment, call.answer))
        return found

    def _tick(self) -> int:
        self._ticks += 1
        return self._ticks
