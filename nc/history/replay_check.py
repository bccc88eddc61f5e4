"""Checks that this version folds a log's events to the states that the recording version had.

A log holds digests of the state, one every so many events (`nc/replica/digests.py`). They are
collected first; then all events are folded, with a comparison at each event that has a digest. So
old logs test new code. Pure.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from nc.domain.codec.digest import digest
from nc.domain.codec.records import Recorded
from nc.domain.evolve import Fold
from nc.domain.invariants import digested_seq
from nc.domain.state import State

# Events folded at once: bounds the memory that it takes.
_CHUNK_EVENTS: Final = 20_000


class Digest(NamedTuple):
    seq: int  # of the event that it is of
    digest: str  # hex


class Fault(NamedTuple):
    """The first digest that differs; the events between are folded differently, one at least."""

    first_seq: int  # from this event
    last_seq: int  # to this one, which the digest is of
    recorded: str  # hex
    computed: str  # hex


class Checked(NamedTuple):
    last_seq: int  # the last event that was folded
    digests: int  # that agree
    agreed_seq: int  # the last event that one of them is of; 0 if there is none
    fault: Fault | None


def recorded_digests(history: Iterable[Recorded]) -> list[Digest]:
    """The digests in a history, in order.

    Raises:
        InconsistentHistory: one is of an event to come, or of one before the last one's.
    """
    found: list[Digest] = []
    last = 0
    for seq, _, event in history:
        if event.HasField("digest_recorded"):
            last = digested_seq(seq, event.digest_recorded, last)
            found.append(Digest(last, event.digest_recorded.digest))
    return found


def check(
    history: Iterable[Recorded],
    digests: Iterable[Digest],
    start: State | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Checked:
    """Fold a history, and compare, up to the first digest that differs.

    Args:
        history: every event after `start`.
        digests: those recorded in it; digests of earlier events are skipped.
        start: the state that the history begins with; the one before everything by default.
        progress: called with a sequence number now and then.

    Raises:
        UnknownEvent: a newer version wrote one of the events.
    """
    seq = 0 if start is None else start.seq
    fold = Fold(start or State())
    remaining = iter(history)
    agreed = Checked(seq, 0, 0, None)
    expected_from = seq + 1
    for wanted in digests:
        if wanted.seq < expected_from:
            continue
        seq = _fold_through(fold, remaining, seq, wanted.seq, progress)
        computed = digest(fold.finish()).hex()
        if computed != wanted.digest:
            fault = Fault(expected_from, wanted.seq, wanted.digest, computed)
            return agreed._replace(last_seq=seq, fault=fault)
        agreed = Checked(seq, agreed.digests + 1, wanted.seq, None)
        expected_from = wanted.seq + 1
    return agreed._replace(last_seq=_fold_through(fold, remaining, seq, None, progress))


def _fold_through(
    fold: Fold,
    history: Iterator[Recorded],
    seq: int,
    until_seq: int | None,
    progress: Callable[[int], None],
) -> int:
    """Fold up to an event, or to the end; the last event that is folded in then."""
    while True:
        left = _CHUNK_EVENTS if until_seq is None else until_seq - seq
        chunk = list(islice(history, min(_CHUNK_EVENTS, left)))
        if not chunk:
            return seq
        fold.add_recorded(chunk)
        seq += len(chunk)
        progress(seq)
