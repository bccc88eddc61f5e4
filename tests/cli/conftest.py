"""A real server, and the real programs beside it."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.support.programs import Run, run_here, run_program
from tests.support.server_process import ServerProcess


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
def ncadm(server: ServerProcess) -> Run:
    """Runs `ncadm` as that server's administrator, in this process."""

    def run_ncadm(*arguments: str) -> "subprocess.CompletedProcess[str]":
        where = ("--port", str(server.control_port), "--bootport", str(server.bootstrap_port))
        return run_here("ncadm", "--data-dir", str(server.data_dir), *where, *arguments)

    return run_ncadm
