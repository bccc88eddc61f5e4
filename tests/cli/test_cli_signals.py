"""Commands that end by themselves, and that somebody ends before."""

import asyncio
import signal
from collections.abc import Iterator

import pytest

from nc.cli.signals import ended_by_signal, ended_in_order

ENDING = (signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def usual() -> Iterator[None]:
    """The signals as a shell leaves them to a program; afterwards as the tests have them."""
    before = {number: signal.getsignal(number) for number in (*ENDING, signal.SIGINT)}
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_to_end_is_taken_as_ctrl_c(number: signal.Signals) -> None:
    """Within the block; then it ends the program as ever."""
    with pytest.raises(KeyboardInterrupt), ended_in_order():
        signal.raise_signal(number)
    assert signal.getsignal(number) is signal.SIG_DFL


@pytest.mark.parametrize("number", [*ENDING, signal.SIGINT])
def test_what_cleans_up_is_not_told_again(number: signal.Signals) -> None:
    """Of several signals the first one counts, as of a user who is in a hurry."""
    steps: list[str] = []

    async def clean_up_at_end() -> None:
        try:
            signal.raise_signal(number)
            await asyncio.Event().wait()
        finally:
            signal.raise_signal(number)
            await asyncio.sleep(0.01)
            steps.append("cleaned up")

    assert asyncio.run(ended_by_signal(clean_up_at_end()))
    assert steps == ["cleaned up"]


def test_what_ends_by_itself_is_not_stopped() -> None:
    """And what it fails with is raised."""

    async def fail() -> None:
        raise ValueError

    assert not asyncio.run(ended_by_signal(asyncio.sleep(0)))
    with pytest.raises(ValueError):  # noqa: PT011 - it has no text
        asyncio.run(ended_by_signal(fail()))


def test_what_is_ignored_stays_ignored() -> None:
    """Such as HUP by nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with ended_in_order():
        signal.raise_signal(signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_a_job_of_a_script_can_be_ended() -> None:
    """It ignores Ctrl-C, which is for the script; so TERM has to stay what it was."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with ended_in_order():
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
