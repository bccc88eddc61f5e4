"""What a port needs: of its gate, and of the server that it belongs to."""

from collections.abc import Callable
from typing import Any, Protocol

from nc.clock import Clock
from nc.rpc.queue.call import Refusal, ServerCall
from nc.rpc.queue.hang_up import HangUps


class Gate(Protocol):
    """Decides about each call of a port, in the queue's thread."""

    def admit(self, call: ServerCall) -> Refusal | None:
        """Decide by the call's headers; may set `pool`, `party`, `trailing`, `context`."""

    def is_to_hang_up(self, call: ServerCall) -> bool:
        """Whether the connection of an admitted call whose message did not come is to end."""

    def ended(self, call: ServerCall, *, is_cancelled: bool) -> None:
        """Take note that a call it was asked about has ended."""


class Runner(Protocol):
    """What a port needs of the server that it belongs to."""

    queue: Any
    clock: Clock
    hang_ups: HangUps

    def to_loop(self, function: Callable[..., object], *arguments: Any) -> None:
        """Run a function on the event loop."""

    def report(self, error: Exception) -> None:
        """Take note of an error of a handler."""
