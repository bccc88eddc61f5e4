"""Which step led to what the log has about a link, which it knows by the server's id."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Final

from nc.client.link_report import NoServer, read_link_report
from nc.pb import events_pb2 as pb
from nc.testing.targets.link_end import LinkEnd

_QUESTIONS: Final = 4  # each is waited for, so many that a slow machine answers one


class LinksLog:
    """Learns the ids of links while they are open.

    Args:
        told_at: the server's socket that reports its links.
    """

    def __init__(self, told_at: Path) -> None:
        self._told_at = told_at
        self._ends: dict[str, LinkEnd] = {}  # by the server's id

    async def learn_id(self, end: LinkEnd) -> None:
        """Ask the server under which id it knows a link."""
        address = end.own_address
        for _ in range(_QUESTIONS):
            with suppress(NoServer):  # it is slow, or has ended
                report = await asyncio.to_thread(read_link_report, self._told_at)
                ids = {link["peer"]: link["link_id"] for link in report["links"]}
                if address in ids:
                    self._ends[ids[address]] = end
                return
            if not end.is_open:
                return

    def known_by_step(self, entry: pb.Entry) -> pb.Entry:
        """The entry, with the step's request id in place of the link's."""
        end = self._ends.get(entry.request_id)
        if end is None:
            return entry
        known = pb.Entry()
        known.CopyFrom(entry)
        states = {event.state_changed.to_state for event in entry.events}
        if pb.CONNECTION_STATE_INIT in states:
            known.request_id = end.opened_by
        elif pb.CONNECTION_STATE_CONNECTED in states:
            known.request_id = end.greeted_by
        return known
