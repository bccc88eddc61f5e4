"""Two servers for all of these tests, one with TLS and one in plain text, and a watch over both.

Floods have a server of their own.
"""

import shutil
from collections.abc import Iterator

import pytest

from tests.fuzz.watch import Watched
from tests.support.server_process import ServerProcess


@pytest.fixture(scope="session")
def secure_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("secure")
    # Its tests guess without end.
    with ServerProcess(folder / "data", "--guess-rate", "0") as server:
        yield server
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def plain_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server without TLS, where everybody may do everything."""
    folder = tmp_path_factory.mktemp("plain")
    with ServerProcess(folder / "data", "--plaintext") as server:
        yield server
    shutil.rmtree(folder)


@pytest.fixture
def secure(secure_server: ServerProcess) -> Iterator[Watched]:
    """The server with TLS; at the end of the test it is seen to be unharmed."""
    with Watched(secure_server, plaintext=False) as watched:
        yield watched


@pytest.fixture
def plain(plain_server: ServerProcess) -> Iterator[Watched]:
    """The server without TLS; at the end of the test it is seen to be unharmed."""
    with Watched(plain_server, plaintext=True) as watched:
        yield watched


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A module's own: its memory and its files are counted."""
    with ServerProcess(tmp_path_factory.mktemp("floods") / "data") as running:
        yield running
        assert running.stop() == 0
