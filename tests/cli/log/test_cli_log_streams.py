"""`log …` on a stream, and `log move`: real servers of NATS, and the programs as users run them."""

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import eventlog
from eventlog import LogReader
from tests.support.forked_popen import ForkedPopen
from tests.support.nats_servers import NatsServer, address_of, nats_server
from tests.support.programs import Run
from tests.support.written_log import ALPHA, EVENTS, write_story

READING = [
    ["info"],
    ["show"],
    ["verify"],
    ["replay", "--check"],
    ["at", "9"],
    ["diff", "3", "9"],
    ["why", ALPHA],
]


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A server that keeps streams."""
    with nats_server(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory, nats: NatsServer, run: Run) -> tuple[Path, str]:
    """A folder whose log was moved, a copy of it from before, and the stream's address."""
    data = tmp_path_factory.mktemp("moved") / "data"
    folder = write_story(data)
    shutil.copytree(folder, data / "before")
    address = address_of(nats, stream="moved")
    done = run(
        "network-controller",
        "log",
        "move",
        "--log",
        str(folder),
        "--to",
        address,
        "--replicas",
        "1",
    )
    assert done.returncode == 0, done.stderr
    head = LogReader(data / "before").head.hex()
    assert f"with the same head: {head}" in done.stdout
    return data, address


@pytest.mark.parametrize("command", READING, ids=lambda command: str(command[0]))
def test_a_stream_is_read_as_a_folder_is(
    command: list[str], moved: tuple[Path, str], run: Run
) -> None:
    """Every command says the same of the stream as of the folder that it was moved from."""
    data, address = moved
    expected = run("network-controller", "log", *command, "--log", str(data / "before"))
    found = run("network-controller", "log", *command, "--log", address)
    assert (found.returncode, found.stderr) == (expected.returncode, expected.stderr)
    without_files = re.compile(r"(?m)^(size|segments|snapshots|verified|.*snapshot).*\n")
    assert without_files.sub("", found.stdout) == without_files.sub("", expected.stdout)
    assert found.returncode == 0


def test_a_streams_export_is_the_folders(moved: tuple[Path, str], run: Run, tmp_path: Path) -> None:
    """Exported from the stream it is the same log."""
    _, address = moved
    file = tmp_path / "export.zip"
    binary = ("--format", "binary", "--out", str(file))
    done = run("network-controller", "log", "export", "--log", address, *binary)
    assert done.returncode == 0, done.stderr
    shown = run("network-controller", "log", "show", "--log", str(file)).stdout
    assert len(shown.splitlines()) == EVENTS


def test_what_was_moved_takes_no_events(moved: tuple[Path, str], run: Run) -> None:
    """The folder is a copy: it is read, and neither opened as a log nor moved again."""
    data, address = moved
    with pytest.raises(eventlog.LogUnavailable, match="it is a copy"):
        eventlog.open(data / "log")
    again = run("network-controller", "log", "move", "--log", str(data / "log"), "--to", address)
    assert again.returncode == 1
    assert "it is a copy of a log that lives elsewhere" in again.stderr
    assert run("network-controller", "log", "verify", "--log", str(data / "log")).returncode == 0


def test_a_log_is_moved_back(
    moved: tuple[Path, str], nats: NatsServer, run: Run, tmp_path: Path
) -> None:
    """Into a folder of its own, which takes events again; the stream takes none any more."""
    data, _ = moved
    there, back = tmp_path / "there", tmp_path / "back"
    shutil.copytree(data / "before", there)
    address = address_of(nats, stream="back")
    arguments = ("--to", address, "--replicas", "1", "--output", "json")
    done = run("network-controller", "log", "move", "--log", str(there), *arguments)
    head = json.loads(done.stdout)["head"]
    done = run("network-controller", "log", "move", "--log", address, "--to", str(back))
    assert done.returncode == 0, done.stderr
    assert LogReader(back).head.hex() == head == LogReader(data / "before").head.hex()
    log = eventlog.open(back)
    log.append(b"x", 1, log.last_seq)
    log.close()
    refused = run("network-controller", "log", "show", "--log", address)
    assert refused.returncode == 1
    assert f"the log was moved from here to {back}" in refused.stderr


def test_moving_again_is_no_harm(moved: tuple[Path, str], run: Run, tmp_path: Path) -> None:
    """What is in the stream already is found there; another log's stream is left alone."""
    data, address = moved
    again = tmp_path / "again"
    shutil.copytree(data / "before", again)
    done = run("network-controller", "log", "move", "--log", str(again), "--to", address)
    assert done.returncode == 0, done.stderr  # all of it was there
    other = tmp_path / "other"
    log = eventlog.open(other)
    log.append(b"x", 1, 0)
    log.close()
    done = run("network-controller", "log", "move", "--log", str(other), "--to", address)
    assert done.returncode == 1
    assert "the stream has another log" in done.stderr


def test_following_a_stream(moved: tuple[Path, str]) -> None:
    """`log show --follow` prints what is there, and goes on until it is interrupted."""
    _, address = moved
    program = Path(sys.executable).with_name("network-controller")
    following = ForkedPopen(
        [program, "log", "show", "--follow", "--log", address], stdout=subprocess.PIPE, text=True
    )
    assert following.stdout is not None
    lines = [following.stdout.readline() for _ in range(EVENTS)]
    following.send_signal(signal.SIGINT)
    following.stdout.close()
    following.wait(60)
    assert [int(line.split()[0]) for line in lines] == list(range(1, EVENTS + 1))


_NOBODY = "nats://127.0.1.1:1/L"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["show", "--log", "nats://user:word@h/L"], 2, "a password in it can be seen by others"),
        (["move", "--log", "nats://h:x/L", "--to", "/a"], 2, "is no HOST or HOST:PORT"),
        (["move", "--log", "/", "--to", "nats://h/L?x=1"], 2, "“x” is no option"),
        (["show", "--log", _NOBODY], 4, "check that they run, the address and the network"),
        (["verify", "--log", _NOBODY], 4, "no server of NATS answers"),
        (["move", "--log", _NOBODY, "--to", "/a"], 4, "no server of NATS answers"),
        (["repair", "--log", _NOBODY], 1, "is a stream"),
        (["repair", "--log", "nats://user:word@h/L"], 2, "name a creds file"),
        (["move", "--log", "/a", "--to", "nats:///L"], 2, "it names no host; expected nats://HOST"),
        (["show", "--log", "nats://[h/L"], 2, "“[h” is no HOST or HOST:PORT"),
        (["show", "--log", "nats:/h/L"], 2, "address nats:/h/L: it names no host"),
        (["show", "--log", "http://h/L"], 2, "no nats:// or tls:// at its beginning"),
        (["move", "--log", "/a", "--to", "/b"], 2, "name a stream"),
        (["move", "--log", _NOBODY, "--to", "/a/b"], 1, "/a is not there, or no folder"),
        (["move", "--log", _NOBODY, "--to", __file__], 1, "is no folder"),
        (
            ["move", "--log", __file__, "--to", _NOBODY],
            1,
            "is a file; a log's own folder can be moved",
        ),
    ],
)
def test_what_is_wrong_is_said(arguments: list[str], code: int, message: str, run: Run) -> None:
    """One line, without a secret, that says what to do."""
    done = run("network-controller", "log", *arguments)
    assert done.returncode == code
    assert message in done.stderr
    assert "word" not in done.stderr.replace("password", "")
    assert "Traceback" not in done.stderr


def test_a_server_without_jetstream_is_asked_for_it(run: Run, tmp_path: Path) -> None:
    """It has answered, so that nobody has to look at the network, or to try again."""
    with nats_server(tmp_path / "nats", has_jetstream=False) as other:
        address = address_of(other, stream="L")
        ports = [f"--{each}-port=0" for each in ("grpc", "bootstrap", "link")]
        data = ("--data-dir", str(tmp_path / "data"), "--metrics-listen", "none", *ports)
        for command in (
            ("log", "show", "--log", address),
            ("serve", "--cluster", address, "--advertise", "127.0.0.1", *data),
        ):
            done = run("network-controller", *command)
            assert (done.returncode, done.stderr.count("\n")) == (1, 1)
            assert "has no JetStream: add jetstream" in done.stderr


_OTHERS = [
    ["export", "--format", "jsonl", "--out", "-"],
    ["repair"],
    ["show", "--follow"],
    ["move", "--to", "/a"],
]


@pytest.mark.parametrize("command", [*READING, *_OTHERS], ids=" ".join)
def test_an_address_is_read_as_it_was_typed(command: list[str], run: Run) -> None:
    """No command reads it as a path, whose slashes are one: the stream is not taken for a host."""
    done = run("network-controller", "log", *command, "--log", "nats:///x")
    assert done.returncode == 2
    assert "--log: address nats:///x: it names no host; expected nats://HOST" in done.stderr
