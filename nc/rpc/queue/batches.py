"""Operations of calls, started from any thread for as long as the queue has not ended.

gRPC ends the process when operations are started after its queue has ended. There is no lock around
a start: gRPC may write to the call's connection in it, and another thread would wait for that.
"""

import time
from collections.abc import Callable
from typing import Any, Final

_A_MOMENT_S: Final = 0.0001


class Batches:
    """Starts batches of operations, until `end`."""

    def __init__(self) -> None:
        self._has_ended = False
        self._under_way: list[None] = []  # one for each start

    def start(self, call: Any, operations: tuple[Any, ...], tag: Callable[[Any], None]) -> None:
        """Start operations of a call, unless `end` was called; `tag` gets their event."""
        self._under_way.append(None)  # before the question: `end` waits, or the answer is no
        try:
            if not self._has_ended:
                call.start_server_batch(operations, tag)
        finally:
            self._under_way.pop()

    def end(self) -> None:
        """Start nothing any more; at the return nothing is being started. Takes microseconds."""
        self._has_ended = True
        while self._under_way:
            time.sleep(_A_MOMENT_S)
