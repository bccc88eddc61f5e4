"""How long a fault was noticed: by those who ask, by agents, in packets.

Who asks a machine that is cut off cannot be answered before the cut ends, so what counts is what
the others answer. Where one link of three is cut, either of its two ends may be the one that the
rest goes on without.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from benchmarks.drill.nodes import Link, Nodes
from benchmarks.drill.record import Question, Record
from benchmarks.drill.site import MACHINES
from benchmarks.drill.traffic import Traffic

_S: Final = 1_000_000_000
_MARGIN_NS: Final = _S  # packets that were sent just before a look may be under way

# What is promised.
QUERIES_S: Final = 4.0
COMMANDS_S: Final = 10.0
AGENTS_S: Final = 15.0


class Before(NamedTuple):
    """What was so when a fault began.

    Attributes:
        machines: one of which may be gone or cut off.
    """

    at_ns: int
    machines: tuple[str, ...]
    links: dict[str, Link]  # of the agents


class Noticed(NamedTuple):
    """What was noticed of a fault; seconds.

    Attributes:
        queries_s: the longest time without an answer of one of the other replicas.
        commands_s: until each of them had answered a change that was asked for after the beginning.
        agents: how many links the machine had.
        moved: how many of these agents have linked again.
        back_s: until the last of them was back; 0 if none had to be.
        others_moved: how many agents of other replicas have linked again.
        sent, lost: packets between those that have not.
    """

    queries_s: float
    commands_s: float
    agents: int
    moved: int
    back_s: float
    others_moved: int
    sent: int
    lost: int


def before(at_ns: int, machines: tuple[str, ...], nodes: Nodes) -> Before:
    return Before(at_ns, machines, {name: nodes.links(name)[-1] for name in nodes.programs})


def noticed(was: Before, end_ns: int, record: Record, nodes: Nodes, traffic: Traffic) -> Noticed:
    """What was noticed until a time."""
    found = (_without(each, was, end_ns, record, nodes, traffic) for each in was.machines)
    return min(found, key=lambda each: (each.commands_s, each.queries_s))


def _without(
    machine: str, was: Before, end_ns: int, record: Record, nodes: Nodes, traffic: Traffic
) -> Noticed:
    """What was noticed of a machine that is gone."""
    others = [name for name in MACHINES if name != machine]
    answers = list(_ok_between(record, was.at_ns - _S, end_ns))
    moved = {name: _link_after(nodes.links(name), was.at_ns) for name in was.links}
    here = [name for name, link in was.links.items() if link.replica == machine]
    stayed = {name for name in was.links if name not in here and moved[name] is None}
    back = [link.at_ns - was.at_ns for name in here if (link := moved[name]) is not None]
    packets = traffic.lost(stayed, was.at_ns - _MARGIN_NS, end_ns - _MARGIN_NS)
    return Noticed(
        queries_s=max(_silence_s(answers, each, was.at_ns, end_ns) for each in others),
        commands_s=max(_first_command_s(answers, each, was.at_ns, end_ns) for each in others),
        agents=len(here),
        moved=len(back),
        back_s=max(back, default=0) / _S,
        others_moved=len(was.links) - len(here) - len(stayed),
        sent=packets.sent,
        lost=packets.lost,
    )


def _ok_between(record: Record, begin_ns: int, end_ns: int) -> Iterator[Question]:
    for question in reversed(record.questions):
        if question.begun_ns < begin_ns - 20 * _S:
            return
        if question.is_ok and begin_ns <= question.ended_ns < end_ns:
            yield question


def _silence_s(answers: Iterable[Question], server: str, begin_ns: int, end_ns: int) -> float:
    """The longest time without an answer to a query, of those that were asked all the time."""
    ends = sorted(q.ended_ns for q in answers if q.server == server and q.operation.reads)
    times = [begin_ns, *(at for at in ends if at > begin_ns), end_ns]
    return max(later - at for at, later in pairwise(times)) / _S


def _first_command_s(answers: Iterable[Question], server: str, begin_ns: int, end_ns: int) -> float:
    ends = (
        q.ended_ns
        for q in answers
        if q.server == server and not q.operation.reads and q.begun_ns >= begin_ns
    )
    return (min(ends, default=end_ns) - begin_ns) / _S


def _link_after(links: Iterable[Link], at_ns: int) -> Link | None:
    return next((link for link in links if link.at_ns >= at_ns), None)


_COLUMNS: Final[tuple[tuple[str, Callable[[Noticed], str]], ...]] = (
    ("queries s", lambda row: f"{row.queries_s:.2f}"),
    ("changes s", lambda row: f"{row.commands_s:.2f}"),
    ("links", lambda row: str(row.agents)),
    ("moved", lambda row: str(row.moved)),
    ("back s", lambda row: f"{row.back_s:.2f}" if row.moved else "-"),
    ("others moved", lambda row: str(row.others_moved)),
    ("packets", lambda row: str(row.sent)),
    ("lost", lambda row: str(row.lost)),
)


def heading() -> str:
    return f"{'':<48}" + "".join(f"{title:>{len(title) + 2}}" for title, _ in _COLUMNS)


def row(name: str, found: Noticed) -> str:
    cells = (f"{shown(found):>{len(title) + 2}}" for title, shown in _COLUMNS)
    return f"{name:<48}" + "".join(cells)
