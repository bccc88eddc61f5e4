import asyncio
import errno
import io
import json
from pathlib import Path

import pytest

from nc.cli import structured_logs
from nc.data_folder import DataFolderError


class Broken(io.StringIO):
    """A stream whose disk is full."""

    def write(self, _text: str) -> int:
        """Fail as a full disk does."""
        raise OSError(errno.ENOSPC, "no space left on device")


def test_a_line_that_cannot_be_written_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logging to a full disk, or to a closed stream, raises nothing."""
    for stream in (Broken(), io.StringIO()):
        monkeypatch.setattr("sys.stderr", stream)
        log = structured_logs.configure()
        stream.close()
        log.info("first")
        log.error("second", reason="any")


def test_lines_are_json_with_level_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no person reads, each line is one JSON object in ASCII, errors with tracebacks."""
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    log = structured_logs.configure()
    log.info("hello", name="ü", path=Path("x"))
    log.error("oops", exc_info=ValueError("why"))
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert first["event"] == "hello"
    assert first["level"] == "info"
    assert first["name"] == "ü"
    assert first["timestamp"].endswith("Z")
    assert "ValueError: why" in second["exception"]
    assert stream.getvalue().isascii()


async def test_what_is_logged_together_is_written_together_and_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Under a loop lines wait for each other for a moment; then all are there, in order."""
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    log = structured_logs.configure()
    for number in range(3):
        log.info("line", number=number)
    assert stream.getvalue() == ""
    while not stream.getvalue():  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0)
    assert [json.loads(line)["number"] for line in stream.getvalue().splitlines()] == [0, 1, 2]


def test_debug_is_for_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines of level debug appear with `debug` only."""
    for debug, lines in ((False, 0), (True, 1)):
        stream = io.StringIO()
        monkeypatch.setattr("sys.stderr", stream)
        structured_logs.configure(debug=debug).debug("detail")
        assert stream.getvalue().count("\n") == lines


def test_a_log_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """It is said before anything starts, with the folder's name."""
    (tmp_path / "file").write_text("")
    with pytest.raises(DataFolderError, match="logDir"):
        structured_logs.configure(log_dir=tmp_path / "file")
