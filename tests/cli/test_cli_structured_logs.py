import asyncio
import errno
import io
import json
import re
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.cli import structured_logs
from nc.data_folder import DataFolderError
from nc.rpc.api import Call
from nc.rpc.call_lines import CallLine, log_one_by_one
from nc.rpc.callers import Caller, CallerKind


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


CALLS = st.builds(
    CallLine,
    st.integers(0, 2**62),
    st.builds(
        Call,
        st.builds(Caller, st.sampled_from(CallerKind), st.text()),
        st.sampled_from(("GetToken", "grpc.health.v1.Health/Check")),
        st.text(),
        st.integers(0),
        target=st.none() | st.integers(0) | st.tuples(st.sampled_from(("0af1", "9")), st.text()),
    ),
    st.sampled_from(("200", "PERMISSION_DENIED")),
    st.integers(0, 2**62),
    st.text(),
    st.integers(0, 2**31),
    st.text(),
)


@given(st.lists(CALLS))
def test_calls_are_logged_as_the_logger_would(calls: list[CallLine]) -> None:
    """The quick way gives the same lines, byte for byte, but for the time that they are logged."""
    ways = []
    for log_calls in (structured_logs.log_calls, None):
        stream = io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.stderr", stream)
            log = structured_logs.configure()
            (log_calls or partial(log_one_by_one, log))(calls)
        ways.append(re.sub(r'"timestamp": "[^"]*"', "", stream.getvalue()))
    assert ways[0] == ways[1]


async def test_calls_are_logged_for_people_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal, as every other line."""
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setattr("sys.stderr", stream)
    structured_logs.configure()
    caller = Caller(CallerKind.ADMIN, "certificate:ops:1")
    structured_logs.log_calls([CallLine(0, Call(caller, "GetToken", "r1", 0), "200", 1_500_000)])
    assert "certificate:ops:1" in stream.getvalue()
    assert "GetToken" in stream.getvalue()


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
