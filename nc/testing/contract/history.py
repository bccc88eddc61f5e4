"""A history: the one stream of observations that the laws are checked on.

It has what was asked of a network controller and answered (steps), what happened to it, its log
where that can be read, and sightings: what a simulation saw of a law that holds at every moment.
Steps of one round ran at the same time; a round begins when every step of the one before has been
answered, or the process that should have answered has ended.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from enum import Enum
from itertools import groupby
from typing import Final, NamedTuple, TypeAlias

from nc.pb.events_pb2 import Entry
from nc.testing.contract.happenings import Happening
from nc.testing.contract.operations import OK, Facts, IssueToken, Operation, Redeem
from nc.testing.contract.values import ADMIN, NO_LIMITS, Limits, Moment

_NO_FACTS: Final = Facts("")

_STATES: Final = {-1: "IDLE", 1: "INIT", 3: "CONNECTED"}


class Secret(str):
    """A node's or bootstrap token as it is sent; never printed."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(…)"


class CertificateSet(NamedTuple):
    """One of the two sets of certificates that an enrolment answers; PEM."""

    ca: bytes
    certificate: bytes
    key: bytes

    def __repr__(self) -> str:
        return "CertificateSet(…)"


class Answer(NamedTuple):
    facts: Facts
    message: str = ""
    token: Secret = Secret()
    certificates: tuple[CertificateSet, ...] = ()  # gRPC, network
    links: int | None = None  # of that node, open at its own end; None where that was not counted
    node: tuple[str, str] = ("", "")  # the id and the name of the node that was made or renewed

    @property
    def is_ok(self) -> bool:
        return self.facts.code == OK


def step_id(number: int) -> str:
    """A step's request id: a UUID, which a server records as it is."""
    return f"00000000-0000-8000-8000-{number:012}"


@dataclass(frozen=True, slots=True)
class Step:
    number: int  # from 1, over the whole history
    round: int
    operation: Operation
    moment: Moment  # between asking and being answered, by the target's clock
    answer: Answer | None  # None: none ever came, and what became of it is unknown
    reason: str = ""  # why it had to be refused, where nothing else ran
    turns: int = 0  # how many turns of the others came before it began

    @property
    def facts(self) -> Facts:
        """Those of the answer; the code is "" if none came."""
        return _NO_FACTS if self.answer is None else self.answer.facts

    @property
    def code(self) -> str:
        return self.facts.code

    @property
    def is_ok(self) -> bool:
        return self.code == OK

    @property
    def may_have_happened(self) -> bool:
        return self.answer is None or self.is_ok

    @property
    def message(self) -> str:
        return "" if self.answer is None else self.answer.message

    def __str__(self) -> str:
        return f"step {self.number}, {type(self.operation).__name__}"

    @property
    def request_id(self) -> str:
        return step_id(self.number)


@dataclass(frozen=True, slots=True)
class Observation:
    """An event that no operation asked for."""

    round: int  # a crash has that of the steps that it came into
    happening: Happening


Item: TypeAlias = Step | Observation


class Sighting(NamedTuple):
    """A moment at which a law of a cluster did not hold."""

    what: str
    at_s: float  # since the beginning
    seq: int  # the last event in the log by then

    def __str__(self) -> str:
        return f"{self.what}, {self.at_s:+.3f} s, after event {self.seq}"


@dataclass(frozen=True, slots=True)
class LogView:
    """The log behind the answers, where it can be read."""

    entries: Sequence[Entry]
    live_digest: bytes | None  # of the state that is serving; None where it cannot be read
    replayed_digest: bytes | None  # of the state that all of its events lead to


@dataclass
class History:
    """Everything that was observed, in order.

    Attributes:
        network: the overlay network at the beginning, as the server's own address in it.
        limits: the server's settings about its nodes.
        items: steps, and what happened between them; grows by `add`.
        steps: the steps alone.
        is_cluster: agents open links by themselves, and no model runs beside it.
        log: None where the target shows none.
        unexplained: the round whose answers no order of its commands explains, 0 if there is none.
        stale: that round, if an older state of the model explains it.
        end: why the server ended, "" if it runs.
        held: by a law's name, how often a simulation saw it hold.
        sightings: by a law's name, where a simulation saw that it did not.
    """

    network: str = ""
    limits: Limits = NO_LIMITS
    items: list[Item] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    is_cluster: bool = False
    log: LogView | None = None
    unexplained: int = 0
    stale: int = 0
    end: str = ""
    held: Counter[str] = field(default_factory=Counter)
    sightings: dict[str, list[Sighting]] = field(default_factory=dict)

    def add(self, item: Item) -> None:
        self.items.append(item)
        if isinstance(item, Step):
            self.steps.append(item)

    def saw(self, law: str, sighting: Sighting, *, holds: bool) -> None:
        if holds:
            self.held[law] += 1
        else:
            self.sightings.setdefault(law, []).append(sighting)

    @property
    def entries(self) -> Sequence[Entry]:
        """The log's, none where it is not shown."""
        return () if self.log is None else self.log.entries

    @property
    def happenings(self) -> list[Observation]:
        return [item for item in self.items if isinstance(item, Observation)]

    def of(self, *kinds: type[Operation]) -> Iterator[Step]:
        """The steps of these kinds that were answered."""
        for step in self.steps:
            if isinstance(step.operation, kinds) and step.answer is not None:
                yield step

    def rounds(self) -> Iterator[tuple[int, list[Step]]]:
        for number, steps in groupby(self.steps, key=lambda step: step.round):
            yield number, list(steps)

    def secrets(self) -> set[str]:
        return {
            str(step.answer.token)
            for step in self.of(IssueToken, Redeem)
            if step.answer is not None and step.answer.token
        }

    def __str__(self) -> str:
        """Numbered steps for people; without tokens and keys."""
        start = next((step.moment.earliest_ms for step in self.steps), 0)
        settings = "".join(f", {k}={v}" for k, v in self.limits._asdict().items() if v)
        beginning = [f"    the server starts on {self.network}{settings}"] if self.network else []
        return "\n".join([*beginning, *_lines(self.items, start)])


def _lines(items: Sequence[Item], start_ms: int) -> Iterator[str]:
    for _, together in groupby(items, key=lambda item: item.round):
        group = list(together)
        steps = [item for item in group if isinstance(item, Step)]
        for item in group:
            if isinstance(item, Observation):
                yield f"    -  {operation_text(item.happening, start_ms)}"
            else:
                seconds = (item.moment.earliest_ms - start_ms) / 1000
                together_mark = "∥" if len(steps) > 1 else " "
                asked = operation_text(item.operation, start_ms)
                yield (
                    f"{item.number:>5}{together_mark} {seconds:+.3f} s  {asked}"
                    f"  →  {answer_text(item.answer)}"
                )


def operation_text(operation: Operation | Happening, start_ms: int) -> str:
    """`Redeem token 1, node 2, bootstrap port`; the administrator as caller is left out."""
    parts = []
    for entry in fields(operation):
        value = getattr(operation, entry.name)
        if isinstance(value, tuple):
            if entry.name == "expiries":
                parts += [f"{node or '“”'} at {_when(at_s, start_ms)}" for node, at_s in value]
            else:
                parts += [f"{entry.name} {' '.join(filter(None, value))}"] * any(value)
        elif entry.name == "caller":
            parts += [f"by {value}"] * (value != ADMIN)
        elif isinstance(value, str) and entry.default == "":
            parts += [f"{entry.name} {value}"] * bool(value)
        elif isinstance(value, str):
            parts.append(value or "“”")
        elif isinstance(value, bool):
            parts += [entry.name] * value
        else:
            parts.append(value.value if isinstance(value, Enum) else f"{entry.name} {value}")
    return " ".join([type(operation).__name__, ", ".join(parts)]).strip()


def _when(expires_at_s: int, start_ms: int) -> str:
    return f"{expires_at_s - start_ms / 1000:+.3f} s" if expires_at_s else "never"


def answer_text(answer: Answer | None) -> str:
    """An answer in a line, without its token."""
    if answer is None:
        return "no answer"
    code, state, address, result, said = answer.facts
    parts = [code]
    if state is not None:
        parts.append(_STATES.get(state, str(state)))
    if address is not None:
        parts.append(address or "no address")
    if result is not None:
        parts.append(f"result {str(result).lower()}")
    parts += [text for text in said if text]
    if answer.links is not None:
        parts.append(f"{answer.links} links open" if answer.links != 1 else "1 link open")
    if code != OK:
        parts.append(f"“{answer.message}”")
    return ", ".join(parts)
