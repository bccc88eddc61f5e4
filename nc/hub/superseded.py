"""Links that a newer one of their node replaces: they carry packets until the newer one does.

    newer link accepted ──▶ the older one goes on ──▶ newer link has its address, or failed
                                                        │
        packets for the node take the newer one; the older is closed, and what the node had sent
        on it before it answers the close frame is forwarded

So a node that renews its certificates, or comes over another network, loses no packet. The log
knows the newer link alone; what the older one still carries is bounded by the newer one's handshake
and by the limit for the answer to a close frame.
"""

from nc.hub.session import Session
from nc.hub.switch import Switch
from nc.net import wire
from nc.net.wire import Close


class SupersededLinks:
    """At most one for each node that has a newer one."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._carrying: dict[str, Session] = {}  # by node id; until the newer one has its address
        self._closing: dict[str, Session] = {}  # from then on, until their connections are closed

    def keep(self, link: Session) -> None:
        """Let a link carry packets until `replace`, if it does now; else close it."""
        self.end(link.node_id, wire.SUPERSEDED)
        if link.port.address is None:
            link.close(wire.SUPERSEDED)
            return
        link.still_carries = True
        self._carrying[link.node_id] = link

    def replace(self, node_id: str, close: Close = wire.SUPERSEDED) -> None:
        """The newer link has its address: close the older one, and take what is on its way."""
        link = self._carrying.pop(node_id, None)
        if link is not None:
            self._switch.detach(link.port)
            link.close(close)
            self._closing[node_id] = link

    def end(self, node_id: str, newer: Close | None) -> None:
        """Close the node's older link, and take nothing more from it.

        Only some reasons for which the newer one is closed hold for the older one, too; by any
        other the node is left without a link, and is to come back at once.
        """
        held = (*wire.OF_THE_NODE, wire.SUPERSEDED)
        self.replace(node_id, newer if newer in held else wire.NEWER_FAILED)
        link = self._closing.pop(node_id, None)
        if link is not None:
            link.still_carries = False

    def end_all(self) -> None:
        """The server stops: it will not hear what becomes of the newer ones."""
        for node_id in {*self._carrying, *self._closing}:
            self.end(node_id, wire.STOPPING)

    def forget(self, link: Session) -> None:
        """The connection of a link is closed."""
        if self._carrying.get(link.node_id) is link:
            del self._carrying[link.node_id]
            self._switch.detach(link.port)
        if self._closing.get(link.node_id) is link:
            del self._closing[link.node_id]
