"""A server that cannot start says why in one line, and leaves nothing half-made."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.deployment import Deployment
from tests.e2e.e2e_process import ServerProcess
from tests.support.programs import run_here

FAILED, USAGE = 1, 2
STARTS_AT_ONCE = 3
NEW = "new"  # the data folder that does not exist before, in the case's own folder


class Case(NamedTuple):
    """What a server is told, and what it says of it."""

    exit_code: int
    says: tuple[str, ...]
    options: tuple[str, ...]
    data_dir: str = NEW


CASES: dict[str, Case] = {
    "control port in use": Case(FAILED, ("USED_PORT", "in use"), ("--grpc-port", "USED_PORT")),
    "bootstrap port in use": Case(
        FAILED, ("USED_PORT", "in use"), ("--bootstrap-port", "USED_PORT")
    ),
    "link port in use": Case(FAILED, ("USED_PORT", "in use"), ("--link-port", "USED_PORT")),
    "metrics port in use": Case(
        FAILED, ("127.0.0.1:USED_PORT", "in use"), ("--metrics-listen", "127.0.0.1:USED_PORT")
    ),
    "metrics without a port": Case(
        USAGE, ("--metrics-listen: expected", "127.0.0.1:9464"), ("--metrics-listen", "127.0.0.1")
    ),
    "metrics by a name": Case(
        USAGE, ("--metrics-listen: expected", "or none"), ("--metrics-listen", "localhost:9464")
    ),
    "metrics port out of range": Case(
        USAGE, ("--metrics-listen: expected",), ("--metrics-listen", "127.0.0.1:65536")
    ),
    "metrics on the link port": Case(
        USAGE,
        ("FREE_PORT is given twice",),
        (
            *("--listen", "127.0.0.1", "--link-port", "FREE_PORT"),
            *("--metrics-listen", "127.0.0.1:FREE_PORT"),
        ),
    ),
    "one port for both": Case(
        USAGE,
        ("FREE_PORT is given twice",),
        ("--grpc-port", "FREE_PORT", "--bootstrap-port", "FREE_PORT"),
    ),
    "network address": Case(USAGE, ("--network-addr", "10.1.1.1/24"), ("--network-addr", "10/x")),
    "network too small": Case(USAGE, ("--network-addr", "/29"), ("--network-addr", "10.1.1.1/31")),
    "advertised name": Case(USAGE, ("--advertise: ", "'a b'"), ("--advertise", "a b")),
    "advertised port": Case(USAGE, ("--advertise: ",), ("--advertise", "127.0.0.1:6440")),
    "no advertised name": Case(USAGE, ("nc.yaml, line 2: server.ip",), ("--config", "EMPTY_IP")),
    "port out of range": Case(USAGE, ("--grpc-port", "65535"), ("--grpc-port", "65536")),
    "port below 0": Case(
        USAGE, ("--grpc-port", "0 for any that is free, 0 to 65535"), ("--grpc-port", "-1")
    ),
    "port in words": Case(USAGE, ("--bootstrap-port", "integer"), ("--bootstrap-port", "x")),
    "unknown option": Case(USAGE, ("--grpcport", "serve --help"), ("--grpcport", "1")),
    "config with a typo": Case(
        USAGE, ("typo.yaml, line 3: server.prot: ", "bootstrapPort"), ("--config", "TYPO")
    ),
    "config of a node": Case(USAGE, ("node.yaml", "mode: client"), ("--config", "NODE")),
    "config not there": Case(USAGE, ("none.yaml", "No such file"), ("--config", "none.yaml")),
    "log folder below a file": Case(FAILED, ("logDir", "a file"), ("--config", "BAD_LOG_DIR")),
    "data folder is a file": Case(FAILED, ("a file", "--data-dir"), (), "A_FILE"),
    "data folder below a file": Case(FAILED, ("a file", "--data-dir"), (), "A_FILE/data"),
    "data folder's name too long": Case(FAILED, ("--data-dir", "too long"), (), "x" * 300),
    "nothing can be made there": Case(FAILED, ("/proc",), (), "/proc"),
    "log is a file": Case(FAILED, ("a folder/log",), (), "A_FOLDER"),
    "data folder of another server": Case(FAILED, ("HOLDER",), (), "RUNNING"),
    "folder and port of another server": Case(
        FAILED, ("a server runs on RUNNING",), ("--grpc-port", "ITS_PORT"), "RUNNING"
    ),
    "no data folder": Case(USAGE, ("--data-dir: is empty", "--help"), ("--data-dir", "")),
    "no advertised address": Case(USAGE, ("--advertise: is empty",), ("--advertise=",)),
}


class Outcome(NamedTuple):
    exit_code: int
    stdout: list[str]
    stderr: list[str]
    says: list[str]  # with the words of the case filled in
    made: list[str]  # what is in its own folder afterwards


@pytest.fixture(scope="module")
def outcomes(
    deployment: Deployment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Outcome]]:
    """Every case: each server gives up by itself."""
    shared = tmp_path_factory.mktemp("errors")
    words = _words(shared, deployment)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        words["USED_PORT"] = str(listener.getsockname()[1])

        def run(case: Case) -> Outcome:
            folder = tmp_path_factory.mktemp("case")
            options = tuple(_filled(option, words) for option in case.options)
            data_dir = folder / _filled(case.data_dir, words)
            start = _refuse_here if case.exit_code == USAGE else _start
            code, stdout, stderr = start(ServerProcess(data_dir, *options))
            says = [_filled(text, words) for text in case.says]
            made = [str(path.relative_to(folder)) for path in folder.rglob("*")]
            return Outcome(code, stdout, stderr, says, made)

        is_usage = {name: case.exit_code == USAGE for name, case in CASES.items()}
        found = {name: run(CASES[name]) for name in CASES if is_usage[name]}
        others = [name for name in CASES if not is_usage[name]]
        with ThreadPoolExecutor(STARTS_AT_ONCE) as pool:
            found |= zip(others, pool.map(run, (CASES[name] for name in others)), strict=True)
        yield found


def _start(server: ServerProcess) -> tuple[int, list[str], list[str]]:
    server.launch()
    return server.exit_code(), server.stdout.so_far, server.stderr.so_far


def _refuse_here(server: ServerProcess) -> tuple[int, list[str], list[str]]:
    """Run it in this process, which is quicker; it has to end before a server would start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nc.cli.serve.run_async", lambda _: pytest.fail("the server would start"))
        done = run_here("network-controller", *server.options)
    return done.returncode, done.stdout.splitlines(), done.stderr.splitlines()


def _words(shared: Path, deployment: Deployment) -> dict[str, str]:
    """What the words in capitals stand for."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free_port = str(listener.getsockname()[1])
    a_file = shared / "a file"
    a_file.touch()
    a_folder = shared / "a folder"
    a_folder.mkdir()
    (a_folder / "log").touch()
    configs = {
        "typo": "mode: server\nserver:\n  prot: 1\n",
        "node": f"mode: client\nclient: {{token: {'c' * 16}, serverAddr: x, networkCertDir: y}}\n",
        "nc": "mode: server\nserver: {ip: ''}\n",
        "log": f"mode: server\nserver: {{logDir: {a_file}/x}}\n",
    }
    for name, text in configs.items():
        (shared / f"{name}.yaml").write_text(text)
    return {
        "FREE_PORT": free_port,
        "A_FILE": str(a_file),
        "A_FOLDER": str(a_folder),
        "RUNNING": str(deployment.server.data_dir),
        "ITS_PORT": str(deployment.server.grpc_port),
        "HOLDER": str(deployment.server.process.pid),
        "TYPO": str(shared / "typo.yaml"),
        "NODE": str(shared / "node.yaml"),
        "EMPTY_IP": str(shared / "nc.yaml"),
        "BAD_LOG_DIR": str(shared / "log.yaml"),
    }


def _filled(text: str, words: dict[str, str]) -> str:
    for word, meaning in words.items():
        text = text.replace(word, meaning)
    return text


@pytest.mark.parametrize("name", CASES)
def test_one_line_says_why(outcomes: dict[str, Outcome], name: str) -> None:
    """The last line on stderr, and the only one that is no log line; nothing on stdout."""
    outcome = outcomes[name]
    complaints = [line for line in outcome.stderr if not line.startswith("{")]
    assert len(complaints) == 1, outcome.stderr
    assert outcome.stderr[-1] == complaints[0]
    assert complaints[0].startswith("network-controller: ")
    assert [text for text in outcome.says if text not in complaints[0]] == []
    assert outcome.stdout == []


@pytest.mark.parametrize("name", CASES)
def test_the_exit_code_says_what_kind(outcomes: dict[str, Outcome], name: str) -> None:
    """1: it failed; 2: it was told something wrong."""
    assert outcomes[name].exit_code == CASES[name].exit_code


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.data_dir == NEW])
def test_nothing_half_made_is_left(outcomes: dict[str, Outcome], name: str) -> None:
    """A first start that fails leaves no data folder, nor anything else where it would be."""
    assert outcomes[name].made == []


def test_the_running_server_does_not_notice(
    deployment: Deployment, outcomes: dict[str, Outcome]
) -> None:
    """A second server on the same folder changes nothing for the first."""
    assert outcomes["data folder of another server"].exit_code == FAILED
    assert deployment.admin.call("HealthCheck").code == "200"
    assert deployment.register().caller.call("HealthCheck").code == "200"
    started = [e for e in deployment.server.events() if e["type"] == "ReplicaStarted"]
    assert len(started) == 1
