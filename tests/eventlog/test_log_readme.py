"""The examples in eventlog/README.md do what it says."""

import re
from pathlib import Path
from typing import Any

import pytest

from eventlog.testing import SimulatedDisk

README = Path(__file__).parents[2] / "eventlog" / "README.md"


def run_examples() -> dict[str, Any]:
    """Run the page's examples in order; returns the names that they leave."""
    names: dict[str, Any] = {}
    for example in re.findall(
        r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL
    ):
        exec(compile(example, str(README), "exec"), names)  # noqa: S102 - it is what is tested
    return names


def test_the_examples_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They run in an empty folder, and again in the folder that they leave."""
    monkeypatch.chdir(tmp_path)
    run_examples()
    conflict, payloads, end = capsys.readouterr().out.splitlines()
    assert conflict.startswith("the log ends at sequence number 3, expected 1")
    assert payloads == "[b'paid in 100', b'paid out 30']"
    assert end.startswith("3 ")
    names = run_examples()
    assert capsys.readouterr().out.splitlines()[-1].startswith("6 ")
    assert isinstance(names["disk"], SimulatedDisk)
    assert names["acknowledged"] > 3
