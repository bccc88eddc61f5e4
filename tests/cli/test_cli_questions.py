"""Questions before what cannot be undone."""

import io
import sys

import pytest

from nc.cli.entrypoint import OperationFailed
from nc.cli.ncadm.session import confirm
from tests.support.terminal import ATerminal


@pytest.mark.parametrize("answer", ["y", "n"])
def test_a_question_is_no_part_of_the_output(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    """As of `ncadm … -o yaml > FILE`: a space before the first line would make it another text."""
    stdout, stderr = io.StringIO(), ATerminal()
    for name, stream in (
        ("stdin", ATerminal(f"{answer}\n")),
        ("stdout", stdout),
        ("stderr", stderr),
    ):
        monkeypatch.setattr(sys, name, stream)
    if answer == "y":
        confirm("Sure?", yes=False)
    else:
        with pytest.raises(OperationFailed, match="nothing was changed"):
            confirm("Sure?", yes=False)
    assert (stdout.getvalue(), "Sure?" in stderr.getvalue()) == ("", True)
