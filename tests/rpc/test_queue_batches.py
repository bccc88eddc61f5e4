"""Operations are started until the end, and none is under way after it."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from nc.rpc.queue.batches import Batches

PATIENCE_S = 10.0  # only turns a hang into a failure


class HeldCall:
    """A call of gRPC whose operations take as long to start as the test wants."""

    def __init__(self) -> None:
        self.has_begun = threading.Event()
        self.may_return = threading.Event()
        self.started: list[Any] = []

    def start_server_batch(self, operations: tuple[Any, ...], _tag: Any) -> None:
        """Take the place of gRPC."""
        self.has_begun.set()
        assert self.may_return.wait(PATIENCE_S)
        self.started.append(operations)


def running(function: Callable[..., None], *arguments: Any) -> threading.Thread:
    """A thread that runs the function."""
    thread = threading.Thread(target=function, args=arguments, daemon=True)
    thread.start()
    return thread


def has_ended(thread: threading.Thread) -> bool:
    thread.join(PATIENCE_S)
    return not thread.is_alive()


def test_the_end_waits_for_what_is_being_started() -> None:
    """`end` returns once no operation is being started, and nothing is started after it."""
    batches, call = Batches(), HeldCall()
    starting = running(batches.start, call, ("before",), print)
    assert call.has_begun.wait(PATIENCE_S)
    ending = running(batches.end)
    ending.join(0.01)  # long enough for one that does not wait
    assert ending.is_alive()
    call.has_begun.clear()
    late = running(batches.start, call, ("after",), print)
    late.join(0.1)  # it would be held, too, were it started
    assert not call.has_begun.is_set()
    call.may_return.set()
    assert all(map(has_ended, (starting, ending, late)))
    assert call.started == [("before",)]


def test_two_threads_start_at_once() -> None:
    """A start that takes long does not hold up another."""
    batches, slow, fast = Batches(), HeldCall(), HeldCall()
    fast.may_return.set()
    starting = running(batches.start, slow, ("slow",), print)
    assert slow.has_begun.wait(PATIENCE_S)
    assert has_ended(running(batches.start, fast, ("fast",), print))
    assert (slow.started, fast.started) == ([], [("fast",)])
    slow.may_return.set()
    assert has_ended(starting)


def test_a_start_that_fails_does_not_hold_up_the_end() -> None:
    """Whatever gRPC raises, `end` returns."""

    class Failing:
        def start_server_batch(self, _operations: Any, _tag: Any) -> None:
            raise ValueError("refused")

    batches = Batches()
    with pytest.raises(ValueError, match="refused"):
        batches.start(Failing(), (), print)
    assert has_ended(running(batches.end))
