"""A seed is one life: the same again, byte for byte, in any process."""

import subprocess
import sys
from pathlib import Path

import pytest

from nc.testing.simulation import Plan, draw, play
from tests.testing.simulated_clusters import FEW_ACTS, fingerprint


@pytest.mark.parametrize("plan", [draw(3, is_shared=False), FEW_ACTS], ids=["one", "several"])
def test_the_same_seed_is_the_same_history(plan: Plan) -> None:
    """Byte for byte: the log, and all that was observed, twice in this process."""
    once, again = (fingerprint(play(plan)) for _ in range(2))
    assert once == again


def test_it_does_not_depend_on_the_process() -> None:
    """Nor on how that one orders its sets and maps."""
    code = (
        "from nc.testing.simulation import draw, play\n"
        "from tests.testing.simulated_clusters import FEW_ACTS, fingerprint\n"
        "print(fingerprint(play(draw(1, is_shared=False))), fingerprint(play(FEW_ACTS)))"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            cwd=Path(__file__).parents[2],
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(seen) == 1


def test_another_seed_is_another_history() -> None:
    """Chance comes from the seed, for what is not in the plan too."""
    plan = draw(3)
    assert fingerprint(play(plan)) != fingerprint(play(plan._replace(seed=4)))
