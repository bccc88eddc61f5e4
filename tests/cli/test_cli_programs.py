import json
import re
import signal
import subprocess
from pathlib import Path

import pytest

from eventlog import LogReader
from nc.cli.fsm import diagram
from nc.domain.fsm import TRANSITIONS
from tests.support.forked_popen import ForkedPopen
from tests.support.programs import ALONE, BIN, Run, run_here, run_program
from tests.support.server_process import ServerProcess

COMMANDS = [
    ("network-controller",),
    ("network-controller", "serve"),
    ("network-controller", "join"),
    ("network-controller", "import-litekube"),
    ("network-controller", "demo"),
    ("network-controller", "links"),
    ("network-controller", "fsm"),
    ("network-controller", "check"),
    ("network-controller", "log"),
    ("network-controller", "log", "info"),
    ("network-controller", "log", "show"),
    ("network-controller", "log", "verify"),
    ("network-controller", "log", "replay"),
    ("network-controller", "log", "at"),
    ("network-controller", "log", "diff"),
    ("network-controller", "log", "why"),
    ("network-controller", "log", "export"),
    ("network-controller", "log", "repair"),
    ("network-controller", "log", "move"),
    ("ncadm",),
    ("ncadm", "nodes"),
    ("ncadm", "nodes", "list"),
    ("ncadm", "nodes", "show"),
    ("ncadm", "nodes", "rename"),
    ("ncadm", "nodes", "label"),
    ("ncadm", "nodes", "note"),
    ("ncadm", "nodes", "assign"),
    ("ncadm", "nodes", "unregister"),
    ("ncadm", "nodes", "set-expiry"),
    ("ncadm", "tokens"),
    ("ncadm", "tokens", "issue"),
    ("ncadm", "tokens", "list"),
    ("ncadm", "tokens", "revoke"),
    ("ncadm", "admins"),
    ("ncadm", "admins", "issue"),
    ("ncadm", "admins", "list"),
    ("ncadm", "admins", "revoke"),
    ("ncadm", "console"),
    ("ncadm", "replicas"),
    ("ncadm", "replicas", "list"),
    ("ncadm", "replicas", "invite"),
    ("ncadm", "replicas", "remove"),
    ("ncadm", "contexts"),
    ("ncadm", "contexts", "list"),
    ("ncadm", "contexts", "use"),
    ("ncadm", "contexts", "add"),
    ("ncadm", "contexts", "remove"),
    ("ncadm", "status"),
    ("ncadm", "links"),
    ("ncadm", "events"),
    ("ncadm", "why"),
    ("ncadm", "at"),
    ("ncadm", "diff"),
    ("ncadm", "create-bootstrap-token"),
    ("ncadm", "get-token"),
    ("ncadm", "check-conn-state"),
    ("ncadm", "get-registed-ip"),
    ("ncadm", "unregister"),
    ("ncadm", "check-health"),
    ("ncadm", "set-expiry"),
    ("ncadm", "take-back"),
]


@pytest.fixture(scope="module")
def run() -> Run:
    """Runs one of our programs in this process."""
    return run_here


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a server that has started and stopped."""
    data_dir = tmp_path_factory.mktemp("stopped") / "data"
    with ServerProcess(data_dir) as server:
        assert server.stop() == 0
    return data_dir


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(run: Run, command: tuple[str, ...]) -> None:
    """`--help` of each command exits with 0 and shows how it is used."""
    done = run(*command, "--help")
    assert done.returncode == 0
    assert f"Example: {command[0]}" in done.stdout


def test_the_commands_above_are_all_there_are(run: Run) -> None:
    """No command hides from the test above."""
    for group in {command[:-1] for command in COMMANDS} - {()}:
        listed = run(*group, "--help").stdout.partition("Commands:")[2]
        names = set(re.findall(r"^  ([a-z][a-z-]+)", listed, re.MULTILINE))
        assert names == {each[-1] for each in COMMANDS if each[:-1] == group}, group


def test_the_version_is_the_distributions(run: Run) -> None:
    """`--version` names the program and a version."""
    assert re.fullmatch(
        r"network-controller \d+\.\d+\.\d+\n", run("network-controller", "--version").stdout
    )


def test_the_diagram_draws_every_transition_and_no_other() -> None:
    """The diagram is the table: an arrow a transition, besides the one that marks the start."""
    arrows = [line for line in diagram() if "-->" in line and "[*]" not in line]
    assert len(arrows) == len(TRANSITIONS)
    for move in TRANSITIONS:
        assert f"    {move.source.name} --> {move.destination.name}: {move.trigger.value}" in arrows


def test_fsm_prints_mermaid(run: Run) -> None:
    """What is printed is a state diagram in Mermaid's language."""
    done = run("network-controller", "fsm")
    assert done.stdout.splitlines()[0] == "stateDiagram-v2"


def test_the_demo_ends_by_itself_and_shows_its_log() -> None:
    """The demo exits with 0, plays refusals as well as successes, and ends with the event log."""
    done = run_program("network-controller", "demo")
    assert (done.returncode, done.stderr) == (0, "")
    for words in ("PERMISSION_DENIED", "malformed", "unknown", "expired at", "answer 200"):
        assert words in done.stdout
    for event in ("ReplicaStarted", "TokenIssued", "NodeRegistered", "ExpiryChanged"):
        assert event in done.stdout
    for words in ("is accepted: INIT", "10.1.1.3/24: CONNECTED", "10.1.1.3 to 10.1.1.5", "IDLE"):
        assert words in done.stdout
    for words in ("1 wrong source", "reason=link_closed", "closed: 1008, the node token expired"):
        assert words in done.stdout
    assert done.stdout.count("NodeRegistered") == 3
    assert "ReplicaStopped" in done.stdout


def test_log_show_prints_every_event_once_in_order(run: Run, stopped: Path) -> None:
    """Text and JSON show the same events, numbered from 1 without gaps."""
    text = run("network-controller", "log", "show", "--data-dir", str(stopped))
    lines = run("network-controller", "log", "show", "--data-dir", str(stopped), "--output", "json")
    events = [json.loads(line) for line in lines.stdout.splitlines()]
    assert [event["seq"] for event in events] == [1, 2, 3]
    kinds = ["ReplicaStarted", "AdministratorAdded", "ReplicaStopped"]
    assert [event["type"] for event in events] == kinds
    assert [line.split()[0] for line in text.stdout.splitlines()] == ["1", "2", "3"]
    assert {event["actor"] for event in events} == {"system"}


def test_log_show_after_a_sequence_number(run: Run, stopped: Path) -> None:
    """`--after` leaves out what was seen before."""
    done = run("network-controller", "log", "show", "--data-dir", str(stopped), "--after", "1")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["2", "3"]


def test_log_show_changes_nothing(run: Run, stopped: Path) -> None:
    """Reading leaves every byte of the folder as it was."""
    before = {path: path.read_bytes() for path in (stopped / "log").iterdir()}
    run("network-controller", "log", "show", "--data-dir", str(stopped))
    assert {path: path.read_bytes() for path in (stopped / "log").iterdir()} == before


def test_log_show_follows_a_live_server(server: ServerProcess, ncadm: Run) -> None:
    """`--follow` prints what is appended while it runs, and Ctrl-C ends it without a complaint."""
    command = [BIN / "network-controller", "log", "show", "--data-dir", server.data_dir]
    seq = LogReader(server.log_dir).last_seq
    with ForkedPopen(
        [*map(str, command), "--follow", "--output", "json", "--after", str(seq)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as follower:
        assert ncadm("create-bootstrap-token").returncode == 0
        assert follower.stdout
        assert json.loads(follower.stdout.readline())["type"] == "TokenIssued"
        follower.send_signal(signal.SIGINT)
        _, stderr = follower.communicate(timeout=60)
    assert (follower.returncode, stderr) == (0, "")


def test_a_reader_that_goes_away_is_no_error(stopped: Path) -> None:
    """`log show | head` ends quietly."""
    program = BIN / "network-controller"
    script = f"set -o pipefail; {program} log show --data-dir {stopped} | true"
    done = subprocess.run(["/bin/bash", "-c", script], check=False, capture_output=True, text=True)
    assert done.stderr == ""


def test_a_damaged_log_is_exit_code_3(run: Run, stopped: Path, tmp_path: Path) -> None:
    """A flipped bit in an event that was durable is named with its file, and exits with 3."""
    folder = tmp_path / "log"
    folder.mkdir()
    (segment,) = (stopped / "log").glob("*.seg")
    data = bytearray(segment.read_bytes())
    data[96 + 88 + 4] ^= 1  # in the first record's payload
    (folder / segment.name).write_bytes(data)
    done = run("network-controller", "log", "show", "--data-dir", str(tmp_path))
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert segment.name in done.stderr
    assert "offset" in done.stderr


def test_no_log_is_one_line(run: Run, tmp_path: Path) -> None:
    """A folder without a log is named."""
    done = run("network-controller", "log", "show", "--data-dir", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert str(tmp_path) in done.stderr


@pytest.mark.parametrize("command", ["network-controller demo", "ncadm status"])
def test_too_few_files_are_one_line(command: str) -> None:
    """Whatever would fail without a descriptor, some of it without a word."""
    words = ["sh", "-c", f"ulimit -n 14; exec {BIN}/{command}"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=ALONE)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "at most 14 files may be open; raise the limit to 128 (ulimit -n)" in done.stderr
