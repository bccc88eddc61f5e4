"""What a server knows of itself and the others, beside what the log says."""

from typing import TYPE_CHECKING

from nc.domain.events import Event
from nc.replica.errors import Removed, Replaced
from nc.rpc.admin.replicas import Standing

if TYPE_CHECKING:
    from nc.server.server import Server


def standing_of(server: "Server", session: str) -> Standing:
    """What a server knows of a live replica, by its session; of itself, too."""
    membership = server.membership
    if membership is None:
        return Standing()
    role, peer = membership.role, membership.peers.peers().get(session)
    if session == role.replica.session:
        return Standing(server.endpoints.advertised)
    member = None if role.leases is None else role.leases.members.get(session)
    lag = None if member is None else max(0, role.replica.state.seq - member.applied_seq)
    return Standing("" if peer is None else peer.host, lag)


def join_addresses(server: "Server") -> list[tuple[str, int]]:
    """Host and bootstrap port of each other live server, as far as is known."""
    if server.membership is None:
        return []
    found = server.membership.peers.peers().values()
    return sorted((each.host, each.bootstrap_port) for each in found if each.bootstrap_port)


def out_of_touch_s(server: "Server") -> float:
    """For how long a server may lack what others have; 0: it does not."""
    return 0.0 if server.membership is None else server.membership.role.touch.out_s


class OwnSessions:
    """Those that one server's process has asked the log for: each is another one's successor.

    Whether a start is in the log may stay open, while a later one is asked for: all of them are its
    own for as long as it runs.

    Args:
        name: of the replica.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._asked: set[str] = set()
        self._begun: set[str] = set()  # those of which the log has a start

    def __bool__(self) -> bool:
        """Whether there is any yet."""
        return bool(self._asked)

    def ask(self, session: str) -> None:
        """The log is asked to begin this one."""
        self._asked.add(session)

    def began(self, session: str) -> None:
        """The log has its start."""
        self.ask(session)
        self._begun.add(session)

    def has_begun(self, session: str) -> bool:
        """Whether the log is known to have its start; it may have ended since."""
        return session in self._begun

    def see(self, event: Event) -> Replaced | None:
        """An event has become part of the state; why it ends the replica, None: it does not."""
        if event.replica_removed.replica_id == self._name:
            return Removed()
        started = event.replica_started
        if started.replica_id != self._name or not self._asked:
            return None
        if started.session not in self._asked:
            return Replaced()  # by a server that has a copy of the folder
        self.began(started.session)
        return None
