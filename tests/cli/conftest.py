"""A real server, and the real programs beside it."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.ncadm_machine import Json, Machine
from tests.support.programs import Run, run_here, run_program
from tests.support.server_process import ServerProcess
from tests.support.upstream_server import UpstreamServer


@pytest.fixture(scope="session")
def run() -> Run:
    """Runs one of our programs to its end: `run("ncadm", "check-health")`."""
    return run_program


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with TLS, for the whole module."""
    with ServerProcess(tmp_path_factory.mktemp("server") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def known_by(server: ServerProcess) -> list[str]:
    """What the printed line says of the server's CA."""
    where = ("--data-dir", str(server.data_dir), "--port", str(server.control_port))
    made = json.loads(
        run_program("ncadm", *where, "--output", "json", "create-bootstrap-token").stdout
    )
    program, verb, token, *rest = made["joinCommand"].split()
    assert [program, verb, token] == ["network-controller", "join", made["joinToken"]]
    assert rest == ["--ca-cert-hash", made["caCertHash"]]
    return list(rest)


@pytest.fixture(scope="module")
def ncadm(server: ServerProcess) -> Run:
    """Runs `ncadm` as that server's administrator, in this process."""

    def run_ncadm(*arguments: str) -> "subprocess.CompletedProcess[str]":
        where = ("--port", str(server.control_port), "--bootport", str(server.bootstrap_port))
        return run_here("ncadm", "--data-dir", str(server.data_dir), *where, *arguments)

    return run_ncadm


@pytest.fixture
def without_contexts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without contexts."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("NC_CONTEXT", "NC_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def told(ncadm: Run) -> Json:
    """Runs a command that succeeds, and gives its JSON."""

    def run(*arguments: str) -> Any:
        done = ncadm(*arguments, "--output", "json")
        assert (done.returncode, done.stderr) == (0, ""), done
        return json.loads(done.stdout)

    return run


@pytest.fixture
def machine(ncadm: Run, told: Json, tmp_path: Path) -> Iterator[Machine]:
    """A node that is unregistered at the end."""
    made = Machine(ncadm, told, tmp_path / "machine")
    yield made
    ncadm("nodes", "unregister", made.id, "--yes")


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> UpstreamServer:
    """A stopped LiteKube server."""
    return UpstreamServer.made(tmp_path_factory.mktemp("upstream"))
