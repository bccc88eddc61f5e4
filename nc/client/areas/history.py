"""`client.history`: the past, which the server computes from its log.

A moment is a sequence number, a time, or None for the end of the log.
"""

from datetime import datetime
from typing import Any, Final

from nc.client.areas.nodes import NodeFilter, filter_message
from nc.client.arguments import checked
from nc.client.calls import Area
from nc.client.convert import convert, ms_of, time_of, uint64
from nc.client.errors import DeadlineExceeded
from nc.client.reports import Differences, Explanation, PastState
from nc.client.types import BootstrapToken, Node
from nc.pb.admin.v1 import history_pb2

Moment = int | datetime | None

TIMEOUT_S: Final = 60.0  # a long log takes a while
PAGE_SIZE: Final = 1000


class _TooLong(DeadlineExceeded):
    """Asking again would take as long."""

    advice = (
        f"the answer was not there within {TIMEOUT_S:g} s: the log is long; network-controller log "
        "at, diff and why take as long as they need, on the server's machine or on a copy of its "
        "log"
    )


def _moment(name: str, moment: Moment) -> Any:
    if moment is None:
        return history_pb2.Moment()
    if isinstance(moment, datetime):
        return history_pb2.Moment(time_ms=max(0, ms_of(moment)))  # the API has none before
    return history_pb2.Moment(seq=uint64(name, moment))


class History(Area):
    @checked
    async def at(self, moment: Moment = None, filter: NodeFilter | None = None) -> PastState:  # noqa: A002 - the word of the API
        """The state as of a moment, with all its nodes.

        Raises:
            OutOfRange: the log begins later, or ends before.
        """
        request = history_pb2.AtRequest(
            moment=_moment("moment", moment),
            page_size=PAGE_SIZE,
            filter=filter_message(filter or {}),
        )
        first = page = await self._at(request)
        nodes = list(page.nodes)
        while page.next_page_token:
            request.page_token = page.next_page_token
            page = await self._at(request)
            nodes += page.nodes
        return PastState(
            first.seq,
            time_of(first.recorded_at_ns, "_ns"),
            first.network,
            tuple(convert(Node, node) for node in nodes),
            tuple(convert(BootstrapToken, token) for token in first.tokens),
        )

    async def _at(self, request: Any) -> Any:
        return await self._ask("History.At", request)

    async def _ask(self, method: str, request: Any) -> Any:
        try:
            return await self._calls.read(method, request, timeout_s=TIMEOUT_S)
        except DeadlineExceeded as error:
            raise _TooLong(error.method, error.target, error.details) from None

    @checked
    async def diff(self, start: Moment, end: Moment = None) -> Differences:
        """What changed between two moments."""
        # `from` is a word of Python's, so it cannot be an argument's name
        request = history_pb2.DiffRequest(
            to=_moment("end", end), **{"from": _moment("start", start)}
        )
        answer = await self._ask("History.Diff", request)
        return convert(Differences, answer)

    @checked
    async def why(self, node: str, moment: Moment = None) -> Explanation:
        """Why a node is, or was, in its state."""
        request = history_pb2.WhyRequest(node=node, moment=_moment("moment", moment))
        answer = await self._ask("History.Why", request)
        return convert(Explanation, answer)
