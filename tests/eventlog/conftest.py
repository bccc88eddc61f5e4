"""One server of NATS for all tests of a module that need one."""

from collections.abc import Iterator

import pytest

from tests.support.nats_servers import NatsServer, nats_server


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A server that keeps streams, shared by a module's tests: each uses streams of its own."""
    with nats_server(tmp_path_factory.mktemp("nats")) as server:
        yield server
