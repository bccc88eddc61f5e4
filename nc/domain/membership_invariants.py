"""Invariants of replicas and invitations: part of `nc.domain.invariants`.

An invitation is issued and redeemed once, and what was removed does not start. Kept in plain
dictionaries, and independent of the folds.
"""

from collections.abc import Callable
from typing import Any, Final

from nc.domain.state import State

# What was found, and what was expected.
Fault = tuple[str, str]


class Members:
    """What is known of invitations and replicas. No event is refused.

    Args:
        base: the state to begin with.

    Attributes:
        invitations: by id, whether it was redeemed.
        removed: ids of replicas.
    """

    __slots__ = ("invitations", "removed")

    def __init__(self, base: State) -> None:
        known = base.membership.invitations.items()
        self.invitations = {each: invitation.is_redeemed for each, invitation in known}
        self.removed = set(base.membership.removed)

    def fault(self, kind: str, event: Any) -> Fault | None:
        """Why an event cannot follow; None if it can."""
        check = _CHECKS.get(kind)
        return None if check is None else check(self, event)

    def apply(self, kind: str, event: Any) -> None:
        match kind:
            case "replica_invited":
                self.invitations[event.invitation_id] = False
            case "invitation_redeemed":
                self.invitations[event.invitation_id] = True
                self.removed.discard(event.replica_id)
            case "invitation_ended":
                self.invitations.pop(event.invitation_id, None)
            case "replica_removed":
                self.removed.add(event.replica_id)


def _started(before: Members, event: Any) -> Fault | None:
    if event.replica_id in before.removed:
        return f"server {event.replica_id} starts", "one that was not removed"
    return None


def _invited(before: Members, event: Any) -> Fault | None:
    if event.invitation_id in before.invitations:
        return f"invitation {event.invitation_id} is issued again", "another id"
    return None


def _redeemed(before: Members, event: Any) -> Fault | None:
    if before.invitations.get(event.invitation_id, True):
        found = f"invitation {event.invitation_id} is redeemed"
        return found, "one that is known and not redeemed"
    return None


def _ended(before: Members, event: Any) -> Fault | None:
    if event.invitation_id not in before.invitations:
        return f"invitation {event.invitation_id} ends", "one that is known"
    return None


def _removed(before: Members, event: Any) -> Fault | None:
    if event.replica_id in before.removed:
        return f"server {event.replica_id} is removed again", "one that was not"
    return None


_CHECKS: Final[dict[str, Callable[[Members, Any], Fault | None]]] = {
    "replica_started": _started,
    "replica_invited": _invited,
    "invitation_redeemed": _redeemed,
    "invitation_ended": _ended,
    "replica_removed": _removed,
}
