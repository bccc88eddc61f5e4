"""Garbage: when not to look for any."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["gc_disabled"]


@contextmanager
def gc_disabled() -> Iterator[None]:
    """Leave garbage uncollected: a log read makes millions of objects to stay, and hardly a cycle.

    Looking for some again and again takes as long as the reading itself.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
