"""One browser, and pages in it that must ask for nothing and complain of nothing."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import pytest

from nc.domain.codec.records import Recorded
from nc.domain.state import State
from nc.history.export.html import write_page
from tests.support.busy_log import busy_history
from tests.support.chromium import INSTALL, REQUIRED, Chromium, Tab, is_installed
from tests.support.shown_page import LIBRARY, Shown


@pytest.fixture(scope="session")
def tab() -> Iterator[Tab]:
    """One for all tests; where there is no browser they are skipped, or fail if it is required."""
    if not is_installed() and REQUIRED not in os.environ:
        pytest.skip(INSTALL)
    with Chromium() as browser, Tab(browser) as opened:
        yield opened


@pytest.fixture(scope="session")
def shown(tab: Tab, tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """Shows a history until the end of a `with` block."""
    folder, numbers = tmp_path_factory.mktemp("pages"), count()

    @contextmanager
    def show(
        history: list[Recorded],
        base: State | None = None,
        fragment: str = "",
        until_ms: int = 0,
    ) -> Iterator[Tab]:
        path = folder / f"{next(numbers)}.html"
        with path.open("w", encoding="utf-8") as out:
            write_page(iter(history), base or State(), out, until_ms)
        tab.open(path, fragment)
        tab.run(LIBRARY)
        tab.run("frame()")  # lists know how high they are
        yield tab
        assert [address.partition("#")[0] for address in tab.requests()] == [tab.address]
        assert tab.complaints() == []

    return show


@pytest.fixture(scope="session")
def busy() -> list[Recorded]:
    """A history of which most is out of sight."""
    return busy_history(30, 400, seed=1)
