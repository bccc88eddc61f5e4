"""The example in eventlog/README.md does what it says."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "eventlog" / "README.md"


def test_the_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As it stands there, in an empty folder, and again in the folder that it leaves."""
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(example, str(README), "exec"), {})  # noqa: S102 - it is what is tested
    conflict, payloads, end = capsys.readouterr().out.splitlines()
    assert conflict.startswith("the log ends at sequence number 3, expected 1")
    assert payloads == "[b'paid in 100', b'paid out 30']"
    assert end.startswith("3 ")
    exec(compile(example, str(README), "exec"), {})  # noqa: S102
    assert capsys.readouterr().out.splitlines()[-1].startswith("6 ")
