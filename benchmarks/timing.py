"""How long something takes, by the clock on the wall and in this process's CPU time."""

import gc
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Taken(NamedTuple):
    """What one run took, seconds."""

    wall: float
    cpu: float


def timed(run: Callable[[], T]) -> tuple[T, Taken]:
    """What it finds, and what that took."""
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    found = run()
    return found, Taken(time.perf_counter() - wall, time.process_time() - cpu)


def best(taken: list[Taken]) -> Taken:
    return Taken(min(each.wall for each in taken), min(each.cpu for each in taken))
