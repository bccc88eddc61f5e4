"""How `log` prints, and what it loads."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc.cli.log.app import LogCommands
from nc.cli.log.render import line_parts, text_format
from nc.domain.codec.records import Recorded
from nc.domain.events import Entry, Event
from nc.history.fields import KIND_NAMES
from tests.support import event_strategies
from tests.support.programs import run_here
from tests.support.written_log import EVENTS

COLOUR = re.compile("\x1b\\[[0-9;]+m")
HEAVY = ("grpc", "textual", "rich", "hypothesis", "nc.hub", "nc.rpc", "nc.agent", "nc.testing")


@given(event_strategies.events, st.text(), st.text(), st.text())
def test_a_coloured_line_is_the_plain_line_with_colours(
    event: Event, actor: str, request_id: str, name: str
) -> None:
    """Of any event: no other character, and none that steers a terminal, whatever the names are."""
    entry = Entry(actor=actor, request_id=request_id)
    lines = []
    for forced in ("", "1"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FORCE_COLOR", forced)
            patch.setenv("TERM", "xterm")
            patch.delenv("NO_COLOR", raising=False)
            lines.append(text_format()(Recorded(1, entry, event), name))
    plain, coloured = lines
    assert plain.isprintable()
    assert coloured != plain
    assert COLOUR.sub("", coloured) == plain


def test_columns_are_aligned() -> None:
    """The fields of an event begin at the same place, whatever its kind."""
    before = [line_parts(Recorded(1, Entry(), Event(**{kind: {}})))[:3] for kind in KIND_NAMES]
    assert len({tuple(len(text) for text, _ in parts) for parts in before}) == 1
    assert all(text.endswith(" ") for parts in before for text, _ in parts)


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_without_colours_gets_none(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By NO_COLOR and TERM, also where colours are forced."""
    recorded = Recorded(1, Entry(), Event())
    for name, value in {"FORCE_COLOR": "1", **variables}.items():
        monkeypatch.setenv(name, value)
    assert text_format()(recorded, "").isprintable()


@pytest.mark.parametrize("command", ["info", "show", "verify", "at 9", "diff 3 9", "why 10.1.1.3"])
def test_json_is_asked_for_before_or_after_the_command(data_dir: Path, command: str) -> None:
    """`log --output json show` and `log show --output json` print the same lines of JSON."""
    place = ("--data-dir", str(data_dir))
    after = run_here("network-controller", "log", *command.split(), *place, "--output", "json")
    before = run_here("network-controller", "log", "--output", "json", *command.split(), *place)
    assert (before.returncode, before.stdout) == (after.returncode, after.stdout)
    assert [json.loads(line) for line in after.stdout.splitlines()]


@pytest.mark.parametrize(
    ("command", "code"), [("at 99", 1), ("why 10.1.1.99", 1), ("show --from x", 2)]
)
def test_errors_are_json_where_results_are(data_dir: Path, command: str, code: int) -> None:
    """One object on the standard error, with the exit code that the program ends with."""
    words = (*command.split(), "--output", "json", "--data-dir", str(data_dir))
    done = run_here("network-controller", "log", *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert json.loads(done.stderr)["exitCode"] == code


def test_reading_a_log_back_loads_no_server() -> None:
    """Neither gRPC nor the player's or the harness's libraries, whichever command is imported."""
    modules = [place.partition(":")[0] for _, place in LogCommands.table.values()]
    program = (
        f"import sys, importlib; [importlib.import_module(m) for m in {modules!r}]; "
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout == "[]\n"


def test_show_ends_where_it_is_asked_to(data_dir: Path) -> None:
    """The last line is the event that --to names."""
    done = run_here("network-controller", "log", "show", "--to", "5", "--data-dir", str(data_dir))
    assert [int(line.split()[0]) for line in done.stdout.splitlines()] == [1, 2, 3, 4, 5]
    assert EVENTS > 5


def test_that_no_event_is_chosen_is_said(data_dir: Path) -> None:
    """To people, beside the output; a program gets no lines."""
    show = ("network-controller", "log", "show", "--actor", "nobody", "--data-dir", str(data_dir))
    done = run_here(*show)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "there are no such events\n")
    done = run_here(*show, "--output", "json")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
