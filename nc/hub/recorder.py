"""What becomes of links, made durable: each step of a link's life is a command to the replica."""

from contextlib import suppress

from nc.clock import Clock, now_ms
from nc.domain.decide import Command
from nc.domain.errors import DomainError
from nc.domain.links import AcceptLink, DropLink, HandOverAddress, Reason
from nc.hub.session import Link
from nc.replica.replica import DiskFull, Origin, Overloaded, Replica, Stopping, Unwritable


class LinkRecorder:
    """Records links. The link's id is the request id, so that one search finds its whole life.

    Args:
        replica: decides and remembers.
        clock: see there.
    """

    def __init__(self, replica: Replica, clock: Clock) -> None:
        self._replica = replica
        self._clock = clock

    async def accept(self, link: Link) -> None:
        """The node is INIT on this link; raises what `Replica.submit` does."""
        link.is_accepted = True  # also when nobody waits for the answer any more
        try:
            await self._submit(link, AcceptLink(link.node_id, link.link_id, now_ms(self._clock)))
        except (DomainError, Overloaded, DiskFull, Stopping):  # nothing was changed
            link.is_accepted = False
            raise

    async def hand_over(self, link: Link) -> None:
        """The node has an address and is CONNECTED; raises what `Replica.submit` does."""
        await self._submit(link, HandOverAddress(link.node_id, link.link_id, now_ms(self._clock)))

    async def end(self, link: Link, reason: Reason) -> None:
        """The node is IDLE, unless it has a newer link.

        While the disk is full, as soon as there is room. Not if the log cannot be written any more:
        then the next start records it.
        """
        if not link.is_accepted:
            return
        command = DropLink(link.node_id, link.link_id, reason)
        with suppress(Stopping, Unwritable):
            while True:
                try:
                    await self._submit(link, command, internal=True)
                except DiskFull:
                    await self._replica.writable.wait()
                else:
                    return

    async def _submit(self, link: Link, command: Command, *, internal: bool = False) -> None:
        origin = Origin(f"link:{link.node_id}", "link", link.link_id)
        await self._replica.submit(command, origin, internal=internal)
