"""One server with a console for all tests of a module, and one browser for all modules."""

import os
from collections.abc import Iterator

import pytest

from nc.client.types import IssuedToken
from tests.support.chromium import INSTALL, REQUIRED, Chromium, Tab, is_installed
from tests.support.live_console import LiveConsole, enter


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveConsole]:
    with LiveConsole(tmp_path_factory.mktemp("live")) as running:
        yield running


@pytest.fixture(scope="module")
def token(live: LiveConsole) -> IssuedToken:
    """A bootstrap token that any number of machines may redeem."""
    return live.run(live.client.tokens.issue(label="for all", node_name_prefix="n-"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Chromium]:
    if not is_installed() and REQUIRED not in os.environ:
        pytest.skip(INSTALL)
    with Chromium() as running:
        yield running


@pytest.fixture(scope="module")
def tab(browser: Chromium, live: LiveConsole, token: IssuedToken) -> Iterator[Tab]:
    """The console of an administrator, who the one-time link has let in."""
    live.join(token)
    with Tab(browser) as opened:
        enter(opened, live.start_console())
        yield opened
        # a refusal is an answer, which the browser mentions
        assert [each for each in opened.complaints() if "Failed to load resource" not in each] == []
