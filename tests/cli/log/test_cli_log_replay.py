"""`log replay`: against the digests of a log, and in a real terminal."""

import io
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from eventlog import LogReader
from nc.cli.log import replay as command
from nc.cli.log.replay import _Read, _recording
from nc.domain.codec.digest import digest
from nc.domain.events import DigestRecorded, Event, TokenIssued
from nc.domain.evolve import FOLDS
from nc.domain.state import State
from nc.history.events import Point, history
from nc.history.filters import Filter
from nc.history.fold import state_at
from tests.support.programs import BIN, run_here
from tests.support.server_process import ServerProcess
from tests.support.terminal import ATerminal, Terminal
from tests.support.written_log import ALPHA, EVENTS, append_unchecked, write_story

# As the table of nodes has it: name and id.
NAMED_ALPHA = f"node-{ALPHA[:8]}".ljust(22) + ALPHA

ESCAPE = "\x1b"
RIGHT, LEFT, END = f"{ESCAPE}[C", f"{ESCAPE}[D", f"{ESCAPE}[F"


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a log with a story of 15 events."""
    return write_story(tmp_path_factory.mktemp("story") / "data")


@pytest.fixture
def folder(story: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(story, tmp_path / "log"))


def replay(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run `log replay`, which has no terminal here."""
    return run_here("network-controller", "log", "replay", "--log", str(folder), *arguments)


def record_digest(folder: Path, seq: int) -> None:
    """Append the digest of what the first events led to."""
    state = state_at(history(LogReader(folder)), seq)
    said = DigestRecorded(seq=seq, digest=digest(state).hex())
    append_unchecked(folder, [Event(digest_recorded=said)])


def test_a_log_without_digests_says_so(folder: Path) -> None:
    """Everything is folded all the same."""
    done = replay(folder, "--check")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"replayed {EVENTS} events: no digest is recorded among them yet\n"


def test_digests_that_agree_are_counted(folder: Path) -> None:
    """How many they are, and up to which event; `log verify` has nothing against them."""
    for seq in (7, 12, 16):
        record_digest(folder, seq)
    done = replay(folder, "--check")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"replayed {EVENTS + 3} events: 3 digests agree, up to event 16\n"
    done = replay(folder, "--check", "--output", "json")
    assert json.loads(done.stdout) == {
        "last_seq": EVENTS + 3,
        "digests": 3,
        "agreed_seq": 16,
        "fault": None,
    }
    done = run_here("network-controller", "log", "verify", "--log", str(folder))
    assert done.returncode == 0, done.stderr


def test_the_first_digest_that_differs_is_exit_code_1(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version that folds an event differently is told so, and between which events."""
    for seq in (4, 12, 16):
        record_digest(folder, seq)
    right = digest(state_at(history(LogReader(folder)), 12)).hex()

    def other_fold(draft: object, seq: int, event: TokenIssued) -> None:
        """Changes of expiry are not understood any more."""

    monkeypatch.setitem(FOLDS, "expiry_changed", other_fold)
    done = replay(folder, "--check")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "1 digest agree, up to event 4" in done.stdout
    assert f"recorded was {right}" in done.stderr
    assert "folds one of the events 5 to 12 differently from the version that" in done.stderr
    done = replay(folder, "--check", "--output", "json")
    assert done.returncode == 1
    fault = json.loads(done.stdout)["fault"]
    assert (fault["first_seq"], fault["last_seq"], fault["recorded"]) == (5, 12, right)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "use `log show`"),
        (("--step",), "or --check"),
        (("--check", "--step"), "goes with --output alone"),
        (("--check", "--from", "3"), "goes with --output alone"),
        (("--output", "json"), "goes with --check"),
        (("--speed", "0"), "--speed"),
    ],
)
def test_wrong_usage_is_one_line(story: Path, arguments: tuple[str, ...], words: str) -> None:
    """Without a terminal there is nothing to play on; options that don't go together are named."""
    done = replay(story, *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert words in done.stderr


@pytest.mark.parametrize("missing", ["stdin", "stdout", "stderr"])
def test_it_needs_all_of_a_terminal(
    story: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """Also stderr, on which the screen is drawn: with `2> FILE` it would be in the file."""
    monkeypatch.setattr(command, "_play", lambda *_: pytest.fail("it plays"))
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.StringIO() if name == missing else ATerminal())
    with pytest.raises(typer.BadParameter, match="needs a terminal"):
        command.replay(log=str(story))


def test_it_plays_in_a_terminal(story: Path) -> None:
    """Keys go in, the events are on the screen, `q` ends it with 0; the log is as it was."""
    before = {path: path.read_bytes() for path in story.iterdir()}
    program = BIN / "network-controller"
    with Terminal(program, "log", "replay", "--step", "--log", story) as terminal:
        terminal.until(f"0 of {EVENTS}  paused", "before the first event", "q quit")
        terminal.press("n")
        terminal.until("ReplicaStarted", "network_address  10.1.1.1/29")
        terminal.press(RIGHT + "n")
        terminal.until(f"▶ {NAMED_ALPHA}  IDLE", "NodeRegistered")
        terminal.press("g")
        terminal.until("go to: ")
        terminal.press("6\r")
        terminal.until(f"▶ {NAMED_ALPHA}  CONNECTED  10.1.1.3", f"6 of {EVENTS}")
        terminal.press(LEFT + "p")
        terminal.until(f"▶ {NAMED_ALPHA}  INIT", f"4 of {EVENTS}")
        terminal.press(END)
        text = terminal.until(f"{EVENTS} of {EVENTS}", "Unregistered")
        assert f"{ALPHA}  " not in text.partition("Unregistered")[0]
        terminal.press("q")
        assert terminal.ended() == 0
        assert b"Traceback" not in terminal.output
    assert {path: path.read_bytes() for path in story.iterdir()} == before


def test_it_plays_what_is_asked_for(story: Path) -> None:
    """A node, a part of the log, and a speed: it plays to the end of that, and stays there."""
    program = BIN / "network-controller"
    options = ("--node", ALPHA[:9], "--from", "4", "--to", "6", "--speed", "1000")
    with Terminal(program, "log", "replay", "--log", story, *options) as terminal:
        terminal.until("3 of 3  paused at 1000 times real time", f"▶ {NAMED_ALPHA}  CONNECTED")
        terminal.press("p")
        terminal.until("2 of 3", "AddressBound")
        terminal.press("\x03")
        assert terminal.ended() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_as_ctrl_c_does(story: Path, tmp_path: Path, number: int) -> None:
    """The terminal is given back, and what was unpacked is removed."""
    exported, temporary = tmp_path / "log.zip", tmp_path / "temporary"
    temporary.mkdir()
    to = ("--format", "binary", "--out", str(exported))
    run_here("network-controller", "log", "export", "--log", str(story), *to)
    words = ("log", "replay", "--step", "--log", exported)
    with Terminal(BIN / "network-controller", *words, temporary=temporary) as terminal:
        terminal.until(f"0 of {EVENTS}  paused")
        terminal.send_signal(number)
        assert terminal.ended() == 0
        assert b"\x1b[?1049l" in terminal.output  # leave the alternate screen (xterm)
    assert list(temporary.iterdir()) == []


def test_it_plays_what_a_server_has(server: ServerProcess) -> None:
    """While the server runs; a node is named as the server knows it."""
    where = ("--server", f"127.0.0.1:{server.control_port}", "--data-dir", server.data_dir)
    last_seq = LogReader(server.data_dir / "log").last_seq
    program = BIN / "network-controller"
    with Terminal(program, "log", "replay", "--step", *where) as terminal:
        terminal.until(f"0 of {last_seq}  paused")
        terminal.press("n")
        terminal.until("ReplicaStarted", f"1 of {last_seq}")
        terminal.press(END)
        terminal.until(f"{last_seq} of {last_seq}")
        terminal.press("q")
        assert terminal.ended() == 0
    with Terminal(program, "log", "replay", "--node", "nobody", *where) as terminal:
        assert terminal.ended() == 1
        assert b"no node is meant by this" in terminal.output


def test_a_server_or_a_folder(story: Path) -> None:
    """Both at once are a mistake in usage; digests are checked in a folder alone."""
    for arguments in (("--server", "127.0.0.1:1"), ("--context", "prod", "--check")):
        done = replay(story, *arguments)
        assert done.returncode == 2
        assert "--log" in done.stderr


def test_of_a_part_of_a_log_the_rest_is_not_kept(story: Path) -> None:
    """What was before is folded, what comes after is not read: a part costs what a part costs."""
    reader = LogReader(story)
    read = _Read(lambda after: history(reader, after), State())
    past = _recording(read, Filter(start=Point(seq=4), end=Point(seq=6)), lambda _: None)
    assert [each.seq for each in past.events] == [4, 5, 6]
    for position in range(4):
        assert past.state_at(position) == state_at(history(reader), 3 + position)
    nothing = _recording(read, Filter(start=Point(seq=99)), lambda _: None)
    assert nothing.events == []


def test_a_damaged_log_ends_the_player_with_3(folder: Path) -> None:
    """The terminal is given back, and one line says what is damaged."""
    segment = min(folder.glob("*.seg"))
    data = bytearray(segment.read_bytes())
    data[96 + 88 + 4] ^= 1  # in the first record's payload
    segment.write_bytes(data)
    with Terminal(BIN / "network-controller", "log", "replay", "--log", folder) as terminal:
        assert terminal.ended() == 3
        last = terminal.output.rpartition(b"\x1b")[2]
        assert segment.name.encode() in last
