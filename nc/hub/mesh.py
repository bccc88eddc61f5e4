"""The mesh: each server of a network is connected with each other, for the packets of their nodes.

    a node ──▶ its server ── one connection each way ──▶ the server of the other node ──▶ that node

A server opens a connection to each of its peers, with a certificate that names its session, and
sends on it what its own nodes and its own kernel send to nodes there. What it receives on those
that peers have opened goes to its own nodes. A connection that ends is opened again, more and more
seldom; meanwhile packets are dropped and counted.
"""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from typing import Final, NamedTuple

from picows import WSUpgradeRequest
from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.backoff import delay_s
from nc.clock import Clock, now_ms
from nc.domain.events import Event
from nc.domain.replicas import SESSION_EVENTS
from nc.domain.state import State
from nc.hub.connection import AcceptedConnection
from nc.hub.peer_link import PeerLink, PeerUnreachable, open_peer_link
from nc.hub.peer_nodes import PeerNodes
from nc.hub.ports import PeerPort
from nc.hub.refusals import LinkRefused, Refusal
from nc.hub.switch import Switch
from nc.hub.turns import Turns
from nc.net import wire
from nc.pki.errors import CertificateUnreadable, PkiError
from nc.pki.identity import read_peer
from nc.pki.replica import session_of_replica
from nc.replica.peers import Peer, Peers
from nc.secrets import Secrets
from nc.text import host_port

# The longest wait between two tries: a server that is back is found soon.
_LONGEST_S: Final = 5.0

_SHORTEST_S: Final = 0.1


class MeshParts(NamedTuple):
    """What a mesh is made of.

    Attributes:
        peers: the other live servers.
        own: the session of this server now.
        tls: gives the context for a connection, with a certificate of a session; None for plain
            text.
    """

    peers: Peers
    own: Callable[[], str]
    tls: Callable[[str], ssl.SSLContext | None]
    clock: Clock
    secrets: Secrets
    log: FilteringBoundLogger
    close_timeout_s: float


class _Wanted(NamedTuple):
    """A connection that there should be."""

    own: str
    session: str
    peer: wire.Address  # of its link port


class Mesh:
    """The connections of one server.

    Args:
        state: the state now.
        turns: of the links that keep the server busy.
        moved: called when the other servers' link ports have changed.

    Attributes:
        nodes: which nodes are behind which peer.
        open: the connections to peers, by session.
        accepted: those that peers have opened.
        opened, failed: how many connections were opened, and how many tries failed.
    """

    def __init__(
        self,
        parts: MeshParts,
        switch: Switch,
        state: Callable[[], State],
        turns: Turns,
        moved: Callable[[tuple[wire.Address, ...]], None],
    ) -> None:
        self._parts = parts
        self._switch = switch
        self._state = state
        self._turns = turns
        self._moved = moved
        self.nodes = PeerNodes(switch, state, parts.own)
        self.open: dict[str, PeerLink] = {}
        self.accepted: dict[PeerLink, None] = {}
        self.opened, self.failed = 0, 0
        self._is_cut_off = False
        self._known: dict[str, Peer] = {}  # where each was when it was last named
        self._wanted: dict[_Wanted, asyncio.Task[None]] = {}
        self._crash: BaseException | None = None  # a bug in a connection's task
        self._changed = asyncio.Event()
        parts.peers.observe(self._changed.set)

    def follow(self, events: Sequence[Event]) -> None:
        """Follow where nodes are, and which servers there are."""
        self.nodes.follow(events)
        kinds = {event.WhichOneof("kind") for event in events}
        if kinds & SESSION_EVENTS:
            self._changed.set()

    async def run(self) -> None:
        """Keep the connections, until cancelled; then close them."""
        try:
            await self.nodes.look_at_all()
            while self._crash is None:
                self._changed.clear()
                self._reconcile()
                await self._changed.wait()
            raise self._crash
        finally:
            ended = [*self._wanted.values()]
            for task in ended:
                task.cancel()
            for link in self.accepted:
                link.end("the server is shutting down")
            if ended:
                await asyncio.wait(ended)

    def _reconcile(self) -> None:
        """Begin and end connections as the peers are now.

        One that the leader does not name now, since it hears nothing of it, stays a peer until its
        session has ended: the way between the two may be well.
        """
        own, sessions = self._parts.own(), self._state().sessions
        self._known.update(self._parts.peers.peers())
        self._known = {
            session: peer
            for session, peer in self._known.items()
            if session != own and session in sessions
        }
        wanted = [  # in an order that a simulation can repeat
            _Wanted(own, session, peer.link)
            for session, peer in self._known.items()
            if session in self.nodes.ports
        ]
        for gone in [each for each in self._wanted if each not in wanted]:
            self._wanted.pop(gone).cancel()
        for new in wanted:
            if new not in self._wanted:
                work = self._keep(new, self.nodes.ports[new.session])
                self._wanted[new] = asyncio.create_task(work)
                self._wanted[new].add_done_callback(self._look_at_end)
        for link in [*self.accepted]:
            if link.port.session not in sessions:
                link.end("this session has ended")
        self._moved(tuple(sorted(peer.link for peer in self._known.values())))

    def _look_at_end(self, task: "asyncio.Task[None]") -> None:
        """End `run` with the error of a connection's task that died of one."""
        if not task.cancelled():
            self._crash = task.exception()
            self._changed.set()

    async def _keep(self, wanted: _Wanted, port: PeerPort) -> None:
        parts, failures = self._parts, 0
        make = partial(PeerLink, port, wanted.own, None, self._turns.wait, parts.close_timeout_s)
        fields = {"session": wanted.session, "peer": host_port(*wanted.peer)}
        while True:
            try:
                tls = await asyncio.to_thread(parts.tls, wanted.own)
                link = await open_peer_link(wanted.peer, tls, make)
            except (
                PeerUnreachable,
                PkiError,
                OSError,
            ) as error:  # such as while the clock is wrong
                failures += 1
                self.failed += 1
                if failures == 1:
                    parts.log.warning(log_events.PEER_UNREACHABLE, message=str(error), **fields)
            else:
                failures = 0
                self.opened += 1
                parts.log.info(log_events.PEER_CONNECTED, **fields)
                why = await self._use(link, port)
                parts.log.warning(log_events.PEER_DISCONNECTED, message=why, **fields)
            await asyncio.sleep(delay_s(max(failures, 1), parts.secrets, _SHORTEST_S, _LONGEST_S))

    async def _use(self, link: PeerLink, port: PeerPort) -> str:
        """Send over a connection until it ends; returns why."""
        transport = link.transport
        self.open[port.session] = link
        port.use(link.send, transport.underlying_transport.get_write_buffer_size)
        try:
            return await asyncio.shield(link.ended)
        except asyncio.CancelledError:
            link.end("the server is shutting down, or knows this one no more")
            raise
        finally:
            del self.open[port.session]
            port.leave()

    def is_cut_off(self, is_out_of_touch: bool) -> bool:
        """Whether others go on without this server: those that it hears are no majority with it.

        Args:
            is_out_of_touch: for long; else it is not cut off.
        """
        heard = 1 + len(self.open)
        all_of_them = len({*self._state().sessions, self._parts.own()})
        is_cut_off = is_out_of_touch and 2 * heard <= all_of_them
        if is_cut_off is not self._is_cut_off:
            self._is_cut_off = is_cut_off
            name = log_events.PEERS_LOST if is_cut_off else log_events.PEERS_FOUND
            self._parts.log.warning(name, heard=heard, of=all_of_them)
        return is_cut_off

    def address_of(self, session: str) -> str:
        """Where a peer's link port is; "" if it is not known now."""
        peer = self._known.get(session)
        return "" if peer is None else host_port(*peer.link)

    def admit(self, connection: AcceptedConnection, request: WSUpgradeRequest) -> PeerLink:
        """The end of a connection that another server opens.

        Raises:
            LinkRefused: it shows no replica's certificate, or its session is not known.
        """
        port = self.nodes.ports.get(self._session_of(connection, request))
        if port is None:
            raise LinkRefused(
                Refusal.UNKNOWN_REPLICA,
                HTTPStatus.SERVICE_UNAVAILABLE,
                "this server does not know that session, or not yet; try again",
            )
        link = PeerLink(
            port,
            self._parts.own(),
            partial(self._switch.receive, port),
            self._turns.wait,
            self._parts.close_timeout_s,
            self.accepted.setdefault,
        )
        link.ended.add_done_callback(lambda _: self.accepted.pop(link, None))
        return link

    def _session_of(self, connection: AcceptedConnection, request: WSUpgradeRequest) -> str:
        pem = connection.certificate_pem
        if pem is None:  # plain text: whoever is on the network may say anything
            return request.headers.get(wire.REPLICA_HEADER, "")
        try:
            session = session_of_replica(read_peer(pem), now_ms(self._parts.clock))
        except CertificateUnreadable:
            session = ""
        if not session:
            raise LinkRefused(
                Refusal.FOREIGN_REPLICA,
                HTTPStatus.FORBIDDEN,
                f"{wire.PEERS_PATH} is for other servers of this network alone",
            )
        return session
