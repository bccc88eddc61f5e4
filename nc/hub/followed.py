"""What the log's events do to the links of a hub: one that is dropped ends, whatever caused it.

A link that a newer one of its node replaces goes on until that has its address (`superseded`), also
where the newer one is at a peer. Without a mesh that is not found out, and the link ends at once.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from nc.domain.events import Event, StateChanged, pb
from nc.domain.links import link_of
from nc.hub.superseded import SupersededLinks
from nc.net import wire
from nc.replica.waiting import WaitingNodes

if TYPE_CHECKING:
    from nc.hub.hub import Hub

# The close frame for each reason that an event drops a link for; any other: the server stops.
_CLOSES: Final = {
    pb.STATE_CHANGE_REASON_LINK_SUPERSEDED: wire.SUPERSEDED,
    pb.STATE_CHANGE_REASON_UNREGISTERED: wire.UNREGISTERED,
    pb.STATE_CHANGE_REASON_ADDRESS_REASSIGNED: wire.REASSIGNED,
    pb.STATE_CHANGE_REASON_EXPIRED: wire.EXPIRED,
    pb.STATE_CHANGE_REASON_REPLICA_LOST: wire.SERVER_LOST,
    pb.STATE_CHANGE_REASON_REPLICA_RESTARTED: wire.SERVER_STARTED,
}


class FollowedLinks:
    """The links of one hub.

    Args:
        waiting: a node that gets a link, at whichever server, is taken out of it.
    """

    def __init__(self, hub: "Hub", superseded: SupersededLinks, waiting: WaitingNodes) -> None:
        self._hub = hub
        self._superseded = superseded
        self._waiting = waiting

    def follow(self, events: Iterable[Event]) -> None:
        """End the links that these events drop."""
        for event in events:
            if event.WhichOneof("kind") == "state_changed":
                self._follow(event.state_changed)

    def _follow(self, change: StateChanged) -> None:
        if change.to_state == pb.CONNECTION_STATE_CONNECTED:
            self._waiting.discard(change.node_id)
        link = self._hub.sessions.get(change.link_id)
        if link is None:
            self._follow_elsewhere(change)
        elif change.to_state == pb.CONNECTION_STATE_IDLE:
            is_superseded = change.reason == pb.STATE_CHANGE_REASON_LINK_SUPERSEDED
            if is_superseded and self._is_followed(link.node_id):
                self._hub.supersede(link)
            else:
                self._hub.end(link, _CLOSES.get(change.reason, wire.STOPPING), change.reason)

    def _is_followed(self, node_id: str) -> bool:
        """Whether it will be known what becomes of the node's newer link."""
        newer = link_of(self._hub.state.links, node_id)
        return newer.link_id in self._hub.sessions or self._hub.is_peers(newer.session)

    def _follow_elsewhere(self, change: StateChanged) -> None:
        """A link that is not here has its address, or has ended and left the node without one.

        Whoever held it: its server may have stopped, or be lost, before its links are dropped.
        """
        if change.to_state == pb.CONNECTION_STATE_CONNECTED:
            self._superseded.replace(change.node_id)
        elif (
            change.to_state == pb.CONNECTION_STATE_IDLE
            and change.reason != pb.STATE_CHANGE_REASON_LINK_SUPERSEDED
        ):
            self._superseded.end(change.node_id, _CLOSES.get(change.reason))
