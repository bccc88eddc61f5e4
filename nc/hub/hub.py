"""The hub: every node's link, from the request for one to its end.

    request ──▶ admitted ──▶ INIT is durable ──▶ hello ──▶ address and CONNECTED are durable
                                                                │
                                           packets flow ◀── the address is sent

The replica decides about links and the hub follows: an event that drops a link ends its session,
whatever caused it. What happens to a socket is submitted as a command.

Laws: a node has at most one link; every CONNECTED node has exactly one live session; an address is
sent only once it is durable; a link that the log refused leaves nothing behind.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.clock import Clock
from nc.domain.errors import DomainError
from nc.domain.events import Event, pb
from nc.domain.links import Reason
from nc.domain.network import Network
from nc.domain.state import State
from nc.hub.acceptor import Acceptor
from nc.hub.followed import FollowedLinks
from nc.hub.heartbeat import Heartbeat
from nc.hub.limits import Limits
from nc.hub.link_lines import LinkLines
from nc.hub.link_requests import LinkRequests
from nc.hub.mesh import Mesh, MeshParts
from nc.hub.ports import Drop
from nc.hub.reachable import Reachable
from nc.hub.recorder import LATER, LinkRecorder
from nc.hub.session import Session
from nc.hub.superseded import SupersededLinks
from nc.hub.switch import Switch
from nc.hub.turns import Turns
from nc.net import wire
from nc.net.wire import Close, CloseCode, Frame, HandshakeError
from nc.replica.replica import Replica
from nc.replica.waiting import WaitingNodes
from nc.secrets import RequestIds, TokenIds


class Hub:
    """The links of one server.

    Args:
        replica: decides about links, and records them.
        network: the overlay network.
        tls: gives the context for a new connection, since certificates are renewed; None for
            plain text.
        log: gets a line for each link that opens, closes or is refused.
        interconnection: whether nodes may reach each other.
        reclaim_after_ms: how long a node must have been idle to lose its address to another.
        waiting: gets the nodes that the log does not know.
        destinations: what nodes may reach beyond the network, through the server.

    Attributes:
        is_current: whether the state is not out of date; set where several servers share a log.
        switch: forwards packets.
        mesh: the connections to other servers; None without them.
        leads: whether this server decides what the log has.
        reachable: where this server and its peers are, for agents.
        sessions: those that have not ended, by link id.
        handshakes: the sessions among them that have no address yet, with their tasks.
        sockets: the sessions whose connection is not closed yet, ended or not.
        tasks: handshakes, and ends of links that are being recorded.
    """

    def __init__(
        self,
        replica: Replica,
        network: Network,
        tls: Callable[[], ssl.SSLContext | None],
        *,
        token_ids: TokenIds,
        clock: Clock,
        request_ids: RequestIds,
        log: FilteringBoundLogger,
        interconnection: bool,
        destinations: Iterable[IPv4Network] = (),
        limits: Limits,
        reclaim_after_ms: int,
        waiting: WaitingNodes,
    ) -> None:
        self._replica = replica
        self._recorder = LinkRecorder(replica, clock, waiting, reclaim_after_ms)
        self.is_current: Callable[[], bool] = lambda: True
        self._prefix_length = network.prefix_length
        self._log = log
        self._limits = limits
        requests = LinkRequests(
            self,
            token_ids=token_ids,
            clock=clock,
            request_ids=request_ids,
            log=log,
            limits=limits,
            waiting=waiting,
        )
        self._lines = LinkLines(log, limits, clock, self.name_of)
        self.leads: Callable[[], bool] = lambda: True
        self.reachable = Reachable()
        self.acceptor = Acceptor(requests.answer, tls, log, limits, self.reachable)
        self.switch = Switch(network, interconnection=interconnection, destinations=destinations)
        self._superseded = SupersededLinks(self.switch)
        self._followed = FollowedLinks(self, self._superseded, waiting)
        self.sessions: dict[str, Session] = {}
        self.handshakes: dict[Session, asyncio.Task[None]] = {}
        self.sockets: set[Session] = set()
        self._all_closed = asyncio.Event()  # set while there are no sockets
        self._all_closed.set()
        self.tasks: set[asyncio.Task[Any]] = set()
        self.turns = Turns()
        self._heartbeat = Heartbeat(self, clock, limits.silence_timeout_s)
        self._heartbeat_task: asyncio.Task[None] | None = None
        self._acceptor_task: asyncio.Task[None] | None = None
        self._mesh_task: asyncio.Task[None] | None = None
        self.mesh: Mesh | None = None

    @property
    def state(self) -> State:
        return self._replica.state

    def name_of(self, node_id: str) -> str:
        """What a node is called; "" if it has no name, or is none any more."""
        node = self.state.nodes.get(node_id)
        return "" if node is None else node.profile.name

    def start(self, listener: socket.socket) -> "dict[str, asyncio.Task[None]]":
        """Serve on a socket that listens; gives the tasks that must not end before `stop`."""
        tasks, create = {}, asyncio.create_task
        if self.mesh is not None:
            self._replica.observe(self.mesh.follow)
            tasks["mesh"] = self._mesh_task = create(self.mesh.run())
        self._replica.observe(self.follow)
        tasks["link_acceptor"] = self._acceptor_task = create(self.acceptor.serve(listener))
        tasks["link_heartbeat"] = self._heartbeat_task = create(self._heartbeat.run())
        return tasks

    async def stop_accepting(self) -> None:
        """Close the listener and all connections that are not upgraded; links stay."""
        await _cancel(self._acceptor_task)

    async def stop(self) -> None:
        """Close every link, and wait until nothing is left of any."""
        for link in list(self.sessions.values()):
            self.end(link, wire.STOPPING, pb.STATE_CHANGE_REASON_REPLICA_STOPPED)
        self._superseded.end_all()
        await self._all_closed.wait()  # a close frame that is not answered has a time limit
        await _cancel(self._heartbeat_task, self._mesh_task, *self.tasks)

    def follow(self, events: Iterable[Event]) -> None:
        """End the links that these events drop."""
        self._followed.follow(events)

    def join_mesh(self, parts: MeshParts) -> None:
        """Exchange packets with the hubs of other servers; before `start`."""
        self.mesh = Mesh(parts, self.switch, lambda: self.state, self.turns, self.peers_moved)

    def is_peers(self, session: str) -> bool:
        """Whether a session is that of another server, which packets are exchanged with."""
        return self.mesh is not None and session in self.mesh.nodes.ports

    def peers_moved(self, peers: tuple[wire.Address, ...]) -> None:
        """Tell every node where the other servers are now."""
        if self.reachable.change(peers):
            self._spawn(self.reachable.tell_all(self.sessions))

    def send_away(self, is_out_of_touch: bool) -> None:
        """Ask every node to go to another server, if they have a majority without this one."""
        is_cut_off = self.mesh is not None and self.mesh.is_cut_off(is_out_of_touch)
        if self.reachable.send_away(is_cut_off):
            self._spawn(self.reachable.tell_all(self.sessions))

    # What sessions report (`nc.hub.session.Owner`).

    def on_open(self, link: Session) -> None:
        hello: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        link.receive = partial(self._receive_hello, link, hello)
        self.sessions[link.link_id] = link
        self.sockets.add(link)
        self._all_closed.clear()
        self.handshakes[link] = self._spawn(self._shake_hands(link, hello))
        self.handshakes[link].add_done_callback(lambda _: self.handshakes.pop(link))

    def on_fragment(self, link: Session) -> None:
        self.switch.drop(link.port, Drop.FRAGMENTED)

    def on_much_work(self, link: Session) -> None:
        self.turns.wait(link)

    def on_closed(self, link: Session) -> None:
        self._drop(link, None, pb.STATE_CHANGE_REASON_LINK_CLOSED)

    def on_disconnected(self, link: Session) -> None:
        self.sockets.discard(link)
        self._superseded.forget(link)
        if not self.sockets:
            self._all_closed.set()

    # What the heartbeat reports.

    def on_silent(self, link: Session) -> None:
        self._drop(link, wire.SILENT, pb.STATE_CHANGE_REASON_LINK_SILENT)

    def on_certificate_ended(self, link: Session) -> None:
        self._drop(link, wire.CERTIFICATE_ENDED, pb.STATE_CHANGE_REASON_CERTIFICATE_ENDED)

    def _receive_hello(self, link: Session, hello: "asyncio.Future[bytes]", frame: Frame) -> None:
        """The first frame is the handshake's; packets may follow only once there is an address."""
        if hello.done():
            self.switch.drop(link.port, Drop.TOO_EARLY)
        else:
            hello.set_result(bytes(frame[: wire.MAX_HANDSHAKE_BYTES + 1]))

    async def _shake_hands(self, link: Session, hello: "asyncio.Future[bytes]") -> None:
        """Bring a session to where packets flow, or end it."""
        refused = pb.STATE_CHANGE_REASON_LINK_REFUSED
        try:
            async with asyncio.timeout(self._limits.hello_timeout_s):
                await self._recorder.accept(link)
                wire.read_hello(await hello)
            await self._recorder.hand_over(link)
        except TimeoutError:
            self._drop(link, wire.NO_HELLO, refused)
        except LATER as error:
            self._drop(link, Close(CloseCode.TRY_AGAIN_LATER, str(error)), refused)
        except (HandshakeError, DomainError) as error:
            self._drop(link, Close(CloseCode.POLICY, str(error)), refused)
        except Exception:  # noqa: BLE001 - a bug, which must not leave the node half-way
            self._log.exception(log_events.LINK_CRASHED)
            self._drop(link, wire.BROKEN, refused)
        else:
            self._connect(link)
            self._spawn(self._recorder.report(link))

    def _connect(self, link: Session) -> None:
        """The address is durable: send it, and let packets flow.

        Not reached by a link that was dropped meanwhile: its end cancels the handshake.
        """
        address = self._replica.state.addresses.address_of(link.node_id)
        link.port.address = int(IPv4Address(address))
        self.switch.attach(link.port)
        self._superseded.replace(link.node_id)
        link.receive = partial(self.switch.receive, link.port)
        link.send_handshake(wire.answer(address, self._prefix_length))
        self.reachable.tell(link)
        self._lines.opened(link, address)

    def _drop(self, link: Session, close: Close | None, reason: Reason) -> None:
        """End a link, unless it has ended, and record that; no `close` if the node has ended it."""
        if not link.is_over:
            self.end(link, close, reason)
            self._spawn(self._recorder.end(link, reason))

    def end(self, link: Session, close: Close | None, reason: Reason) -> None:
        """End a link; what the log has of it is another matter."""
        self._leave(link)
        self.switch.detach(link.port)
        self._superseded.end(link.node_id, close)
        if close is not None:
            link.close(close)
        self._lines.closed(link, "" if close is None else close.reason, reason)

    def supersede(self, link: Session) -> None:
        """End a link in the log's view; its packets go on until the newer one has its address."""
        self._leave(link)
        self._superseded.keep(link)
        self._lines.closed(link, wire.SUPERSEDED.reason, pb.STATE_CHANGE_REASON_LINK_SUPERSEDED)

    def _leave(self, link: Session) -> None:
        link.is_over = True
        del self.sessions[link.link_id]
        handshake = self.handshakes.get(link)
        if handshake is not None and handshake is not asyncio.current_task():
            handshake.cancel()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task


async def _cancel(*tasks: "asyncio.Task[None] | None") -> None:
    """Cancel tasks, and wait for their end."""
    running = [task for task in tasks if task is not None]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
