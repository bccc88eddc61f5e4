"""Questions about the past: events in, answers out. Pure, so that each can be asked of any history.

A history is all events of a log in order, each as `Recorded`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple, TypeVar

from nc.domain.codec.records import Recorded, events_of
from nc.domain.events import Event, pb
from nc.domain.evolve import Fold
from nc.domain.links import link_of
from nc.domain.state import State

__all__ = [
    "EMPTY_STATE",
    "Difference",
    "Ids",
    "Point",
    "Recorded",
    "RunningState",
    "differences",
    "events_of",
    "field_of",
    "ids_in",
    "seq_of",
    "state_at",
]

T = TypeVar("T")

EMPTY_STATE: Final = State()  # what there is before the first event


class Point(NamedTuple):
    """A place in a history: after an event, at a moment, or, if both are None, its end."""

    seq: int | None = None
    at_ns: int | None = None  # Unix time in ns


class Ids(NamedTuple):
    """Everything that a history ever named."""

    nodes: frozenset[str]
    tokens: frozenset[str]


class Difference(NamedTuple):
    """What became of nodes and tokens between two places; ids in order."""

    came: list[str]
    went: list[str]
    passed_through: list[str]  # came after the first place, and went before the second
    moved: dict[str, tuple[str, str]]  # addresses, "" for none
    changed: dict[str, tuple[str, str]]  # names of states
    flapped: dict[str, int]  # how often it was CONNECTED again after it had lost that
    expiries: dict[str, tuple[int, int]]  # ms, 0 never
    tokens_came: list[str]
    tokens_went: list[str]


def field_of(event: Event, name: str) -> str:
    """A field of an event's body by its name, "" for one that this kind does not have."""
    kind = event.WhichOneof("kind")
    return "" if kind is None else str(getattr(getattr(event, kind), name, ""))


def ids_in(history: Iterable[Recorded]) -> Ids:
    """Every node and bootstrap token that there ever was."""
    nodes, tokens = set(), set()
    for recorded in history:
        nodes.add(field_of(recorded.event, "node_id"))
        tokens.add(field_of(recorded.event, "token_id"))
    return Ids(frozenset(nodes - {""}), frozenset(tokens - {""}))


def seq_of(history: Iterable[Recorded], point: Point) -> int:
    """The last event that had happened there; a history that is shorter ends before `point.seq`.

    For a moment that is the last event recorded at or before it, also if a clock once was wrong.
    """
    last = 0
    for recorded in history:
        if point.at_ns is None:
            last = recorded.seq
            if last == point.seq:
                break
        elif recorded.entry.recorded_at_ns <= point.at_ns:
            last = recorded.seq
    return min(last, last if point.seq is None else point.seq)


def state_at(history: Iterable[Recorded], seq: int, base: State = EMPTY_STATE) -> State:
    """What the events up to `seq` lead to.

    Args:
        history: the events that follow `base`.
        seq: the last one that counts.
        base: what there was before.

    Raises:
        UnknownEvent: a newer version wrote one of them.
    """
    fold = Fold(base)
    fold.add(recorded.event for recorded in islice(history, max(0, seq - base.seq)))
    return fold.finish()


class RunningState:
    """The state that goes along with a history that somebody reads for another reason.

    Args:
        base: the state to begin with; events that it holds, and those after a gap, change nothing.
    """

    def __init__(self, base: State) -> None:
        self._fold = Fold(base)
        self._next_seq = base.seq + 1

    def through(self, history: Iterable[Recorded]) -> Iterator[Recorded]:
        """The same history; each event is folded in before it is given."""
        for recorded in history:
            self.add(recorded)
            yield recorded

    def add(self, recorded: Recorded) -> None:
        """Fold an event in if it is the next one.

        Raises:
            UnknownEvent: a newer version wrote it.
        """
        if recorded.seq == self._next_seq:
            self._fold.add((recorded.event,))
            self._next_seq += 1

    @property
    def state(self) -> State:
        """What the events up to here lead to."""
        return self._fold.finish()


def differences(before: State, after: State, between: Iterable[Recorded]) -> Difference:
    """What happened from one state to a later one.

    Args:
        before: the earlier state.
        after: the later one.
        between: the events that lead from one to the other.
    """
    stayed = sorted(set(before.nodes) & set(after.nodes))
    seen, flapped = _followed(between)
    return Difference(
        came=sorted(set(after.nodes) - set(before.nodes)),
        went=sorted(set(before.nodes) - set(after.nodes)),
        passed_through=sorted(seen - set(before.nodes) - set(after.nodes)),
        moved=_changes(stayed, before.addresses.address_of, after.addresses.address_of),
        changed=_changes(
            stayed,
            lambda node_id: link_of(before.links, node_id).state.name,
            lambda node_id: link_of(after.links, node_id).state.name,
        ),
        flapped=dict(sorted(flapped.items())),
        expiries=_changes(
            stayed,
            lambda node_id: before.nodes[node_id].expires_at_ms,
            lambda node_id: after.nodes[node_id].expires_at_ms,
        ),
        tokens_came=sorted(set(after.tokens) - set(before.tokens)),
        tokens_went=sorted(set(before.tokens) - set(after.tokens)),
    )


def _changes(
    ids: list[str], before: Callable[[str], T], after: Callable[[str], T]
) -> dict[str, tuple[T, T]]:
    """Of which of them something is not what it was, and both."""
    pairs = {each: (before(each), after(each)) for each in ids}
    return {each: (old, new) for each, (old, new) in pairs.items() if old != new}


def _followed(between: Iterable[Recorded]) -> tuple[set[str], Counter[str]]:
    """The nodes that were registered meanwhile, and how often each lost its link and was back."""
    registered: set[str] = set()
    lost: set[str] = set()
    flapped: Counter[str] = Counter()
    for recorded in between:
        event = recorded.event
        if event.HasField("node_registered"):
            registered.add(event.node_registered.node_id)
        elif event.HasField("state_changed"):
            change = event.state_changed
            if change.from_state == pb.CONNECTION_STATE_CONNECTED:
                lost.add(change.node_id)
            elif change.to_state == pb.CONNECTION_STATE_CONNECTED and change.node_id in lost:
                lost.discard(change.node_id)
                flapped[change.node_id] += 1
    return registered, flapped
