"""What of replicas can have followed a situation: elections, losses, addresses of their own."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nc.domain.invariants import Situation


def fault(before: "Situation", kind: str, event: Any) -> tuple[str, str] | None:
    """What of an event cannot have followed, and what was expected; None: nothing."""
    match kind:
        case "leader_elected" if event.epoch != before.epoch + 1:
            return f"a leader is elected in epoch {event.epoch}", f"{before.epoch + 1}"
        case "replica_lost" if event.session not in before.sessions:
            found = f"session {event.session} is lost"
        case "replica_address_bound" if event.address in before.holders:
            found = f"{event.address} is given to session {event.session}"
            return found, f"{before.holders[event.address]} to hold it"
        case "replica_address_bound" if event.session not in before.sessions:
            found = f"{event.address} is given to session {event.session}"
        case _:
            return None
    return found, "a session that has started, and not ended"
