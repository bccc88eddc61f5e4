"""What docs/how-to/harness.md shows is what works."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.testing.planted_bugs import BUGS
from tests.testing.test_harness_planted_bugs import OF_ALL_ANSWERS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "how-to" / "harness.md").read_text(encoding="utf-8")


def test_the_example_runs_as_printed(tmp_path: Path) -> None:
    """The tests that the page shows pass, in a file of their own."""
    (program,) = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    (tmp_path / "test_mine.py").write_text(program, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mine.py"],
        cwd=tmp_path,
        env={
            **os.environ,
            "HYPOTHESIS_STORAGE_DIRECTORY": str(ROOT / ".hypothesis"),
        },  # has read us
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


def test_the_files_named_are_there() -> None:
    """Every file and folder of the package that the page names exists."""
    named = re.findall(r"`((?:contract|search|simulation|targets)/[a-z_/.]*)`", TEXT)
    named += [name.removeprefix("nc/testing/") for name in re.findall(r"`(nc/testing/.+?)`", TEXT)]
    assert len(named) > 10
    assert all((ROOT / "nc" / "testing" / name).exists() for name in named)


def test_the_table_has_every_planted_bug() -> None:
    """In the order in which they are planted, with no law but those that may be broken."""
    rows = re.findall(r"^\| ([^|]+?) \| \d+(?: to \d+)? \| ([^|]+?) \|$", TEXT, re.MULTILINE)
    assert [name for name, _ in rows] == [bug.name for bug in BUGS]
    for bug, (_, laws) in zip(BUGS, rows, strict=True):
        assert set(laws.split("; ")) <= bug.laws | OF_ALL_ANSWERS, bug.name
