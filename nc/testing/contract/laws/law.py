"""A law: a name, a sentence, and a check on a history.

A check looks for the places in a history where its law applies, and yields evidence for each: the
number of places is how often the law was exercised. A law that was never exercised has shown
nothing, and is reported so, not as passed.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from nc.testing.contract.knowledge import Observed


class Evidence(NamedTuple):
    """A place where a law applies."""

    holds: bool
    place: object  # the step, or the event; its text names it


Check = Callable[[Observed], Iterator[Evidence]]


class Law(NamedTuple):
    """A statement that holds of every history.

    Attributes:
        name: the law in a few words.
        sentence: the law.
        check: finds where it applies.
        needs_log: whether answers alone do not exercise it.
    """

    name: str
    sentence: str
    check: Check
    needs_log: bool = False

    def __str__(self) -> str:
        return self.name


def law(*, needs_log: bool = False) -> Callable[[Check], Law]:
    """Make a check a law: its name is the function's, its sentence the docstring."""

    def declare(check: Check) -> Law:
        name = re.sub(r"_s\b", "'s", check.__name__.replace("_s_", "'s_")).replace("_", " ")
        sentence = " ".join((check.__doc__ or "").split())
        return Law(name, sentence, check, needs_log)

    return declare


def sighted(name: str, observed: Observed) -> Iterator[Evidence]:
    """The evidence that a simulation has for a law."""
    for sighting in observed.history.sightings.get(name, ()):
        yield Evidence(False, sighting)
    for _ in range(observed.history.held[name]):
        yield Evidence(True, name)
