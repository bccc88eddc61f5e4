"""No refusal and no kind of event is without a planted bug that is found, or a reason."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from nc.testing import InProcess
from nc.testing.search import Trials
from tests.testing.planted_kinds import UNPLANTED, bug_of, kinds, name_of, note

MOST_TRIALS = 60

KINDS = {name_of(kind): kind for kind in kinds()}
PLANTED = [name for name in KINDS if name not in UNPLANTED]


@pytest.fixture(scope="module")
def trials() -> Iterator[Trials]:
    target = InProcess()
    yield Trials(target)
    target.close()


@pytest.fixture(scope="module")
def seen(trials: Trials) -> dict[str, list[int]]:
    """In which trials each kind is, until all have been; without a bug none breaks a law."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for seed in range(MOST_TRIALS):
        there: set[str] = set()
        with pytest.MonkeyPatch.context() as patch:
            note(there.add)(patch)
            trials.draw(seed).require()
        for name in there:
            found[name].append(seed)
        if found.keys() >= set(PLANTED):
            break
    return found


@pytest.mark.parametrize("name", PLANTED)
def test_the_bug_of_each_kind_is_found(
    name: str, trials: Trials, seen: dict[str, list[int]]
) -> None:
    """By the trials in which there is such a refusal or event, or by later ones.

    Until the first such a trial is as it was: no other one of those that were played can find it.
    """
    assert seen.get(name), f"no operation leads to {name}: add one, or a reason to UNPLANTED"
    later = range(seen["token_issued"][-1] + 1, MOST_TRIALS)  # each trial issues tokens
    with pytest.MonkeyPatch.context() as patch:
        bug_of(KINDS[name])(patch)
        found = any(trials.draw(seed).breaches for seed in (*seen[name], *later))
    assert found, f"{name} can be left out, and no law is broken"


def test_what_has_no_bug_has_a_reason_that_is_still_true(seen: dict[str, list[int]]) -> None:
    """It is a kind, no trial has it, and the files named are there."""
    assert len(KINDS) == len(kinds())
    assert UNPLANTED.keys() <= KINDS.keys()
    assert UNPLANTED.keys().isdisjoint(seen)
    root = Path(__file__).parents[2]
    words = {word.strip(",;:") for reason in UNPLANTED.values() for word in reason.split()}
    named = {word for word in words if word.startswith("tests/")}
    assert {name for name in named if not (root / name).exists()} == set()
