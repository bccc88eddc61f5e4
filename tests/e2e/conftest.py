"""What end-to-end tests share: one client process, one server for those who leave it as it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.contract_peer import ContractClient, generate
from tests.e2e.deployment import Deploy, Deployment
from tests.e2e.e2e_process import ServerProcess


@pytest.fixture(scope="session")
def contract_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContractClient]:
    """The client process; everybody's."""
    with ContractClient(generate(tmp_path_factory.mktemp("contract"))) as client:
        yield client


@pytest.fixture(scope="session")
def deployment(
    tmp_path_factory: pytest.TempPathFactory, contract_client: ContractClient
) -> Iterator[Deployment]:
    """A server over TLS for every test that only adds to it."""
    with ServerProcess(tmp_path_factory.mktemp("server") / "data") as server:
        yield Deployment(server, contract_client)


@pytest.fixture(scope="session")
def plaintext_deployment(
    tmp_path_factory: pytest.TempPathFactory, contract_client: ContractClient
) -> Iterator[Deployment]:
    """A server without TLS for every test that only adds to it."""
    data_dir = tmp_path_factory.mktemp("plaintext") / "data"
    with ServerProcess(data_dir, "--plaintext") as server:
        pki = data_dir / "pki" / "grpc"
        yield Deployment(server, contract_client, plaintext=True, grpc_pki=pki)


@pytest.fixture
def deploy(tmp_path: Path, contract_client: ContractClient) -> Deploy:
    """Servers of one's own, started by a `with`, with the options given.

    All of one test share a data folder, so that a second one after the first is a restart.
    """

    @contextmanager
    def start(*options: str, data_dir: Path | None = None) -> Iterator[Deployment]:
        with ServerProcess(data_dir or tmp_path / "data", *options) as server:
            yield Deployment(server, contract_client, plaintext="--plaintext" in options)

    return start
