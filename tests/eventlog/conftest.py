"""One server of NATS for all tests of a module that need one."""

import gc
from collections.abc import Iterator

import pytest

from tests.support.nats_servers import NatsServer, nats_server


@pytest.fixture
def forgotten_sockets() -> Iterator[None]:
    """The client of NATS leaves sockets of servers that are gone to the garbage collector.

    It is run where the test's marks let a ResourceWarning pass.
    """
    yield
    gc.collect()


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A server that keeps streams, shared by a module's tests: each uses streams of its own."""
    with nats_server(tmp_path_factory.mktemp("nats")) as server:
        yield server
