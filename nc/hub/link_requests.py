"""Requests for links: whose it is, whether there is room, whether it comes too often."""

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from picows import WSUpgradeRequest
from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.clock import Clock, now_ms
from nc.domain.profile import Facts
from nc.hub.admission import NodeWaits, admit
from nc.hub.connection import AcceptedConnection
from nc.hub.limits import Limits
from nc.hub.pace import Pace, Sampler
from nc.hub.peer_link import PeerLink
from nc.hub.refusals import LinkRefused, Refusal
from nc.hub.session import Session
from nc.net import wire
from nc.net.machine import read_machine
from nc.net.party import party_at
from nc.replica.waiting import WaitingNode, WaitingNodes
from nc.secrets import RequestIds, TokenIds

if TYPE_CHECKING:
    from nc.hub.hub import Hub


class LinkRequests:
    """Answers the requests of one hub.

    Args:
        owner: what sessions report to; its limits and its state decide.
        log: gets a line for each refusal; a sample of them from a party that asks on and on.
    """

    def __init__(
        self,
        owner: "Hub",
        *,
        token_ids: TokenIds,
        clock: Clock,
        request_ids: RequestIds,
        log: FilteringBoundLogger,
        limits: Limits,
        waiting: WaitingNodes,
    ) -> None:
        self._owner = owner
        self._token_ids = token_ids
        self._clock = clock
        self._request_ids = request_ids
        self._log = log
        self._limits = limits
        self._waiting = waiting
        time = partial(monotonic_s, clock)
        self._links = Pace(limits.links_at_once, limits.link_interval_s, time)
        self._lines = Sampler(limits.lines_at_once, limits.line_interval_s, time)

    def answer(
        self, connection: AcceptedConnection, request: WSUpgradeRequest
    ) -> Session | PeerLink:
        """The session for a request, or the end of another server's connection.

        Raises:
            LinkRefused: with the status and the reason.
        """
        try:
            mesh, path = self._owner.mesh, request.path.partition(b"?")[0]
            if mesh is not None and path == wire.PEERS_PATH.encode():
                return mesh.admit(connection, request)
            return self._admit(connection, request)
        except LinkRefused as refusal:
            refusal.now_s = self._clock.now_ns() / 1e9
            if self._owner.leads():
                refusal.headers[wire.LEADER_HEADER] = wire.IS_LEADER
            if isinstance(refusal, NodeWaits):
                self._waiting.note(refusal.node_id, self._waits(connection, request, refusal))
            self._report(connection.peer, refusal)
            raise

    def _admit(self, connection: AcceptedConnection, request: WSUpgradeRequest) -> Session:
        if request.path.partition(b"?")[0] != wire.PATH.encode():
            raise LinkRefused(
                Refusal.WRONG_PATH,
                HTTPStatus.NOT_FOUND,
                f"links are at {wire.PATH}, and nothing else is",
            )
        if not self._owner.is_current():
            text = "this server is not in touch with the others; try again in a moment"
            raise _busy(Refusal.NOT_CURRENT, text)
        admitted = admit(
            request.headers.get(wire.TOKEN_HEADER, ""),
            connection.certificate_pem,
            self._token_ids,
            self._owner.state,
            now_ms(self._clock),
        )
        if len(self._owner.sockets) >= (most := self._limits.max_links):
            text = f"this server has {most} links and takes no more; try again later"
            raise _busy(Refusal.TOO_MANY_LINKS, text)
        if len(self._owner.handshakes) >= self._limits.max_handshakes:
            text = "too many nodes are connecting at once; try again in a moment"
            raise _busy(Refusal.TOO_MANY_HANDSHAKES, text)
        if wait_s := self._links.wait_s(admitted.node_id):
            raise _busy(
                Refusal.TOO_OFTEN,
                "this node opens links too often, as when two machines have the same "
                f"certificate; try again in {wait_s:.1f} s",
                {"Retry-After": str(int(wait_s) + 1)},
            )
        offers = request.headers.get(wire.SUBPROTOCOL_HEADER)
        return Session(
            self._owner,
            admitted.node_id,
            self._request_ids.new(),
            connection.peer,
            facts=Facts(*read_machine(request.headers), _host(connection.peer)),
            offloads=wire.offers_offload(offers),
            hears_servers=wire.offers_servers(offers),
            told_version=connection.reachable.version,
            since_ns=self._clock.now_ns(),
            ends_at_ms=admitted.ends_at_ms,
            close_timeout_s=self._limits.close_timeout_s,
        )

    def _waits(
        self, connection: AcceptedConnection, request: WSUpgradeRequest, refusal: NodeWaits
    ) -> WaitingNode:
        facts = Facts(*read_machine(request.headers), _host(connection.peer)).cleaned()
        return WaitingNode(
            refusal.certificate,
            wire.held_address(request.headers.get(wire.SUBPROTOCOL_HEADER)),
            refusal.key_sha256,
            facts.hostname,
            facts.peer_address,
            now_ms(self._clock),
        )

    def _report(self, peer: str, refusal: LinkRefused) -> None:
        host = _host(peer)
        more = self._lines.fields(party_at(host) or host)
        if more is not None:
            self._log.info(
                log_events.LINK_REFUSED,
                peer=peer,
                status=int(refusal.status),
                reason=str(refusal),
                **more,
            )


def monotonic_s(clock: Clock) -> float:
    return clock.monotonic_ns() / 1e9


def _host(peer: str) -> str:
    """The IP address in `192.0.2.1:1234` or `[2001:db8::1]:1234`."""
    return peer.rpartition(":")[0].strip("[]")


def _busy(reason: Refusal, text: str, headers: dict[str, str] | None = None) -> LinkRefused:
    return LinkRefused(reason, HTTPStatus.SERVICE_UNAVAILABLE, text, headers)
