"""No test keeps the others waiting for ever."""

import asyncio
import threading

import pytest

from tests.support import endless_waits


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endless_waits, "LONGEST_S", 0.01)


def test_a_wait_without_an_end_fails() -> None:
    """Also one that no Python code is run in."""
    with pytest.raises(pytest.fail.Exception, match="still under way"), endless_waits.limited():
        threading.Event().wait()


def test_a_wait_of_an_event_loop_fails() -> None:
    """Although a loop keeps other exceptions to itself."""

    async def poll() -> None:
        while True:  # noqa: ASYNC110 - it is what such a test does
            await asyncio.sleep(0.001)

    with pytest.raises(pytest.fail.Exception, match="still under way"), endless_waits.limited():
        asyncio.run(poll())
