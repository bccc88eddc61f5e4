"""A test that waits without an end fails, and says where it waits.

Its limit is far beyond what any test takes. Those that search for long have none.
"""

import contextlib
import signal
from collections.abc import Generator, Iterator
from typing import NoReturn

import pytest

LONGEST_S = 600.0


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    with contextlib.nullcontext() if item.get_closest_marker("long") else limited():
        return (yield)


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """What happens within ends after LONGEST_S; in the main thread."""
    before = signal.signal(signal.SIGALRM, _fail)
    signal.setitimer(signal.ITIMER_REAL, LONGEST_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _fail(*_: object) -> NoReturn:
    pytest.fail(f"it is still under way after {LONGEST_S} s")
