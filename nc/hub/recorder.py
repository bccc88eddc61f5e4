"""Records links: each step of a session is a command to the replica."""

from contextlib import suppress
from typing import Final

from nc.clock import Clock, now_ms
from nc.domain.decide import Command
from nc.domain.errors import AddressPoolExhausted, DomainError, SessionEnded
from nc.domain.links import AcceptLink, DropLink, HandOverAddress, Reason
from nc.domain.profile import told
from nc.domain.updates import ReportFacts
from nc.hub.session import Session
from nc.replica.batch import Origin
from nc.replica.errors import OutcomeOpen, Overloaded, Stopping, Unwritable, WriteRefused
from nc.replica.replica import Replica
from nc.replica.waiting import WaitingNodes

# After these a node may try again.
LATER: Final = (
    *(AddressPoolExhausted, SessionEnded, Overloaded, WriteRefused),
    *(OutcomeOpen, Unwritable, Stopping),
)


class LinkRecorder:
    """Submits commands with the link's id as the request id: one search finds all its events.

    Args:
        reclaim_after_ms: how long a node must have been idle to lose its address to another.
    """

    def __init__(
        self, replica: Replica, clock: Clock, waiting: WaitingNodes, reclaim_after_ms: int
    ) -> None:
        self._reclaim_after_ms = reclaim_after_ms
        self._waiting = waiting
        self._replica = replica
        self._clock = clock

    async def accept(self, link: Session) -> None:
        """Record that the node is INIT on this link; raises what `Replica.submit` does."""
        link.is_accepted = True  # also if this is cancelled: the log may have it all the same
        command = AcceptLink(
            link.node_id,
            link.link_id,
            now_ms(self._clock),
            session=self._replica.session,
            reclaim_after_ms=self._reclaim_after_ms,
        )
        try:
            await self._submit(link, command)
        except (DomainError, Overloaded, WriteRefused, Stopping):  # nothing was recorded
            link.is_accepted = False
            raise

    async def hand_over(self, link: Session) -> None:
        """Record the node's address and that it is CONNECTED; raises what `Replica.submit` does."""
        waiting = self._waiting
        command = HandOverAddress(
            link.node_id,
            link.link_id,
            now_ms(self._clock),
            wanted=waiting.address_of(link.node_id),
            avoided=waiting.addresses,
            reclaim_after_ms=self._reclaim_after_ms,
        )
        await self._submit(link, command)

    async def report(self, link: Session) -> None:
        """Record the facts that came with the request; not essential, the next link has them too.

        A link with the facts that are known already costs the log nothing.
        """
        node = self._replica.state.nodes.get(link.node_id)
        if node is None or told(node.profile.facts, link.facts) == node.profile.facts:
            return
        with suppress(DomainError, Overloaded, WriteRefused, OutcomeOpen, Stopping, Unwritable):
            await self._submit(link, ReportFacts(link.node_id, link.link_id, link.facts))

    async def end(self, link: Session, reason: Reason) -> None:
        """Record that the node is IDLE, unless it has a newer link.

        Waits while the log lacks something. If it cannot be written any more, nothing is recorded:
        the next start does it. If this server was lost meanwhile, so is the link.
        """
        if not link.is_accepted:
            return
        command = DropLink(link.node_id, link.link_id, reason)
        with suppress(Stopping, Unwritable, SessionEnded):
            while True:
                try:
                    await self._submit(link, command, internal=True)
                except (WriteRefused, OutcomeOpen):
                    await self._replica.writable.wait()
                else:
                    return

    async def _submit(self, link: Session, command: Command, *, internal: bool = False) -> None:
        origin = Origin(f"link:{link.node_id}", "link", link.link_id)
        await self._replica.submit(command, origin, internal=internal)
