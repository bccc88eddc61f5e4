"""A seed is one life: the same again, byte for byte, in any process."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from nc.testing.simulation import Plan, draw, play
from tests.testing.simulated_clusters import FEW_ACTS, fingerprint

ONE = draw(3, is_shared=False)


@cache
def played_before(plan: Plan) -> str:
    """The fingerprint of a life in this process."""
    return fingerprint(play(plan))


@pytest.mark.parametrize("plan", [ONE, FEW_ACTS], ids=["one", "several"])
def test_the_same_seed_is_the_same_history(plan: Plan) -> None:
    """Byte for byte: the log, and all that was observed, twice in this process."""
    assert fingerprint(play(plan)) == played_before(plan)


def test_it_does_not_depend_on_the_process() -> None:
    """Nor on how that one orders its sets and maps."""
    code = (
        "from nc.testing.simulation import draw, play\n"
        "from tests.testing.simulated_clusters import FEW_ACTS, fingerprint\n"
        "print(fingerprint(play(draw(3, is_shared=False))), fingerprint(play(FEW_ACTS)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONHASHSEED": "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"},
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.split() == [played_before(ONE), played_before(FEW_ACTS)]


def test_another_seed_is_another_history() -> None:
    """Chance comes from the seed, for what is not in the plan too."""
    plan = draw(3)
    assert fingerprint(play(plan)) != fingerprint(play(plan._replace(seed=4)))
