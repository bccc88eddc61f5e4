"""What all tests share: their order, no clock in verdicts, folders that leave nothing behind."""

import gc
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.endless_waits import pytest_runtest_protocol
from tests.support.long_files import place
from tests.support.module_folders import pytest_fixture_post_finalizer, pytest_fixture_setup
from tests.support.nats_servers import NatsServer, nats_server
from tests.support.short_segments import shorten_segments
from tests.support.unsynced import skip_syncs

__all__ = [  # hooks
    "pytest_fixture_post_finalizer",
    "pytest_fixture_setup",
    "pytest_runtest_protocol",
]

skip_syncs()
shorten_segments()
# No deadline: a busy machine is not a failure. Each run draws other examples, so that many runs of
# few find what one run of many does.
settings.register_profile("short", deadline=None, max_examples=50)
settings.register_profile("long", deadline=None, max_examples=200)
settings.load_profile("short")

# Where tests are run in the background, shells have Ctrl-C ignored, and programs inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("markexpr") != "not long":
        settings.load_profile("long")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: place(item.path))


def pytest_collection() -> None:
    """No garbage is collected while all modules are loaded, since hardly any is made."""
    gc.disable()


def pytest_collection_finish() -> None:
    """No garbage collection looks again at what is loaded by now, hundreds of thousands of objects.

    Some tests ask for one, and it took them a third of a second.
    """
    gc.enable()
    gc.collect()
    gc.freeze()


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A data folder that is gone after the test: a log preallocates 4 MiB."""
    path = tmp_path / "data"
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def forgotten_sockets() -> Iterator[None]:
    """Sockets that a library leaves to the garbage collector, as the client of NATS does.

    It is run where the test's marks let a ResourceWarning pass.
    """
    yield
    gc.collect()
    gc.freeze()  # the next time nobody looks again at what is left: that took a third of a second


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A server that keeps streams, shared by a module's tests: each uses streams of its own."""
    with nats_server(tmp_path_factory.mktemp("nats")) as server:
        yield server
