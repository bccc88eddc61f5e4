"""The fold that joins the others: state and events in, the next state out.

    state(n) = evolve(state(m), events m+1 … n)      for every m ≤ n

which is why a running server, a replay and a rewind agree.
"""

from collections.abc import Callable, Iterable
from typing import Any

from nc.domain import (
    address_folds as addresses,
)
from nc.domain import (
    node_folds as nodes,
)
from nc.domain import (
    presence_folds as presence,
)
from nc.domain import (
    token_folds as tokens,
)
from nc.domain.events import Event
from nc.domain.state import State
from nc.domain.transient_map import TransientMap
from nc.errors import OperatorError


class _StateDraft:
    """The state while events are folded into it."""

    __slots__ = ("addresses", "digest_seq", "key_check", "nodes", "presence", "tokens")

    def __init__(self, base: State) -> None:
        self.tokens: tokens.TokensDraft = TransientMap(base.tokens)
        self.nodes: nodes.NodesDraft = TransientMap(base.nodes)
        self.presence: presence.PresenceDraft = TransientMap(base.presence)
        self.addresses = addresses.AddressesDraft(base.addresses)
        self.digest_seq = base.digest_seq
        self.key_check = base.key_check

    def finish(self, seq: int) -> State:
        return State(
            seq,
            self.tokens.finish(),
            self.nodes.finish(),
            self.presence.finish(),
            self.addresses.finish(),
            self.digest_seq,
            self.key_check,
        )


def _replica_started(draft: _StateDraft, _seq: int, event: Any) -> None:
    addresses.replica_started(draft.addresses, event)
    draft.key_check = event.key_check or draft.key_check


def _state_changed(draft: _StateDraft, seq: int, event: Any) -> None:
    presence.state_changed(draft.presence, event)
    addresses.state_changed(draft.addresses, seq, event)


def _digest_recorded(draft: _StateDraft, _seq: int, event: Any) -> None:
    draft.digest_seq = event.seq


# What each kind of event is folded into; the keys are the members of `Event.kind`.
_FOLDS: dict[str, Callable[[_StateDraft, int, Any], None]] = {
    "replica_started": _replica_started,
    "replica_stopped": lambda _draft, _, _e: None,
    "token_issued": lambda draft, _, e: tokens.issued(draft.tokens, e),
    "token_expired": lambda draft, _, e: tokens.expired(draft.tokens, e),
    "node_registered": lambda draft, _, e: nodes.registered(draft.nodes, e),
    "state_changed": _state_changed,
    "address_bound": lambda draft, _, e: addresses.bound(draft.addresses, e),
    "address_released": lambda draft, _, e: addresses.released(draft.addresses, e),
    "expiry_changed": lambda draft, _, e: nodes.expiry_changed(draft.nodes, e),
    "unregistered": lambda draft, _, e: nodes.unregistered(draft.nodes, e),
    "digest_recorded": _digest_recorded,
    "log_repaired": lambda _draft, _, _e: None,
}


class Fold:
    """A fold under way, for events that come in pieces: as fast as if they came at once.

    Args:
        state: what the events follow.
    """

    def __init__(self, state: State) -> None:
        self._draft = _StateDraft(state)
        self._seq = state.seq

    def add(self, events: Iterable[Event]) -> None:
        """Fold in the events that come next.

        Raises:
            UnknownEvent: an event is of a kind, or has a state or an address, that this version
                does not know.
        """
        draft = self._draft
        for seq, event in enumerate(events, self._seq + 1):
            kind = event.WhichOneof("kind")
            if kind is None:
                raise UnknownEvent(seq)
            try:
                _FOLDS[kind](draft, seq, getattr(event, kind))
            except ValueError as error:
                raise UnknownEvent(seq) from error
            self._seq = seq

    def finish(self) -> State:
        """The state now. More may be folded in after it."""
        return self._draft.finish(self._seq)


def evolve(state: State, events: Iterable[Event]) -> State:
    """Fold the events that follow `state.seq` into it.

    Raises:
        UnknownEvent: as `Fold.add`.
    """
    fold = Fold(state)
    fold.add(events)
    return fold.finish()


class UnknownEvent(OperatorError):
    """The log holds an event that a newer version wrote; ignoring it would give a wrong state."""

    def __init__(self, seq: int) -> None:
        self.seq = seq
        super().__init__(
            f"event {seq} is nothing that this version knows how to read; "
            "run the version that wrote the log, or a newer one"
        )
