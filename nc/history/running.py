"""Which servers run at a moment of a history, and which starts follow on no stop."""

from collections.abc import Iterable

from nc.domain.events import Event
from nc.domain.replicas import ended_by


class Running:
    """The sessions that go on; that of a server of the first versions is "".

    Args:
        sessions: those before the history, each with its server's id.
    """

    def __init__(self, sessions: Iterable[tuple[str, str]] = ()) -> None:
        self._sessions = dict(sessions)
        self._lost = set[str]()  # servers that were, and have not started since

    def __bool__(self) -> bool:
        """Whether any server runs."""
        return bool(self._sessions)

    def follow(self, event: Event) -> bool:
        """Take over what an event says; whether it is a start after a crash."""
        sessions, started, ended = self._sessions, event.replica_started, list[str]()
        kind = event.WhichOneof("kind")
        match kind:
            case "replica_started":
                ended = ended_by(sessions.items(), started)
            case "replica_stopped":
                ended = [event.replica_stopped.session]
            case "replica_lost":
                ended = [event.replica_lost.session]
                self._lost.update(sessions[each] for each in ended if each in sessions)
            case "replica_removed":
                removed = event.replica_removed.replica_id
                ended = [session for session, owner in sessions.items() if owner == removed]
        for session in ended:
            sessions.pop(session, None)
        if kind != "replica_started":
            return False
        is_after_crash = bool(ended) or started.replica_id in self._lost
        self._lost.discard(started.replica_id)
        sessions[started.session] = started.replica_id
        return is_after_crash
