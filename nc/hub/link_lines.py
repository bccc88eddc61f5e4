"""The log lines of links: a sample of them for a node that comes and goes in a loop."""

from collections.abc import Callable
from functools import partial

from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.clock import Clock
from nc.domain.events import pb
from nc.domain.links import Reason
from nc.hub.limits import Limits
from nc.hub.link_requests import monotonic_s
from nc.hub.pace import Sampler
from nc.hub.session import Session


class LinkLines:
    """The lines of one hub.

    Args:
        name_of: what a node is called, by its id.
    """

    def __init__(
        self,
        log: FilteringBoundLogger,
        limits: Limits,
        clock: Clock,
        name_of: Callable[[str], str],
    ) -> None:
        self._log = log
        self._name_of = name_of
        time = partial(monotonic_s, clock)
        self._sampler = Sampler(limits.lines_at_once, limits.line_interval_s, time)

    def opened(self, link: Session, address: str) -> None:
        link.node_name = self._name_of(link.node_id)
        self._write(log_events.LINK_OPENED, link, address=address, offloads=link.offloads)

    def closed(self, link: Session, message: str, reason: Reason) -> None:
        name = pb.StateChangeReason.Name(reason).removeprefix("STATE_CHANGE_REASON_").lower()
        self._write(log_events.LINK_CLOSED, link, reason=name, message=message)

    def _write(self, event: str, link: Session, **more: object) -> None:
        left_out = self._sampler.fields(f"{event} {link.node_id}")
        if left_out is not None:
            ids = {"node_id": link.node_id, "link_id": link.link_id, "peer": link.peer}
            # A node that was unregistered has no name any more when its link is closed for it.
            name = self._name_of(link.node_id) or link.node_name
            self._log.info(event, node=name, **ids, **more, **left_out)
