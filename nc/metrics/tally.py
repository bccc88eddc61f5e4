"""What is counted event by event: how many of each kind, nodes by state, links' ends, flapping."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from nc.clock import Clock
from nc.domain.events import Event, pb
from nc.domain.evolve import FOLDS
from nc.domain.fsm import ConnectionState
from nc.domain.map_items import items_of
from nc.domain.state import State

# A node flaps that loses its link so often within a window and the one before it.
FLAPPING_ENDS: Final = 5
FLAP_WINDOW_NS: Final = 15 * 60 * 1_000_000_000

_IDLE: Final = pb.CONNECTION_STATE_IDLE


class Tally:
    """Counts from a state on. Used on the event loop; any thread may read.

    Args:
        state: what the first event follows.

    Attributes:
        events: by kind.
        links: how many nodes are in a state other than IDLE, by the state's number.
        ends: of links, by the number of the reason.
    """

    def __init__(self, state: State, clock: Clock) -> None:
        self._monotonic_ns = clock.monotonic_ns
        self.events: dict[str, int] = dict.fromkeys(FOLDS, 0)
        self.links: Counter[int] = Counter(link.state.value for _, link in items_of(state.links))
        self.ends: Counter[int] = Counter()
        # Nodes that lost their links, and how often: in this window, and in the one before.
        self._lost: dict[str, int] = {}
        self._lost_before: dict[str, int] = {}
        self._window_ends_ns = self._monotonic_ns() + FLAP_WINDOW_NS

    def observe(self, events: Iterable[Event]) -> None:
        """Count events that follow those before."""
        for event in events:
            kind = event.WhichOneof("kind")
            if kind is not None:
                self.events[kind] += 1
                if kind == "state_changed":
                    self._moved(event.state_changed)

    def connected(self) -> int:
        return self.links[ConnectionState.CONNECTED.value]

    def beginning(self) -> int:
        return self.links[ConnectionState.INIT.value]

    def flapping(self) -> int:
        """How many nodes flap."""
        self._turn()
        before = self._lost_before
        return sum(
            count + before.get(node_id, 0) >= FLAPPING_ENDS for node_id, count in self._lost.items()
        ) + sum(
            count >= FLAPPING_ENDS and node_id not in self._lost
            for node_id, count in before.items()
        )

    def _moved(self, change: pb.StateChanged) -> None:
        self.links[change.from_state] -= 1
        self.links[change.to_state] += 1
        if change.to_state == _IDLE:
            self.ends[change.reason] += 1
            self._turn()
            self._lost[change.node_id] = self._lost.get(change.node_id, 0) + 1

    def _turn(self) -> None:
        """Begin a new window if it is time."""
        now_ns = self._monotonic_ns()
        if now_ns < self._window_ends_ns:
            return
        is_next = now_ns < self._window_ends_ns + FLAP_WINDOW_NS
        self._lost_before = self._lost if is_next else {}
        self._lost = {}
        self._window_ends_ns = now_ns + FLAP_WINDOW_NS
