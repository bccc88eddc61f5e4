"""The hub: every node's link, from the request for one to its end.

    asks ──▶ admitted ──▶ INIT is durable ──▶ says hello ──▶ address and CONNECTED are durable
                                                                │
                                             packets flow ◀─ is told its address

What a link leads to is decided by the replica, and the hub follows: an event that says that a link
is dropped ends it, whoever caused it. What happens to a socket goes the other way, as a command.

Laws: a node has one link at the most; every CONNECTED node has exactly one that lives; an address
is told only once it is durable; a link that the log refused leaves nothing behind.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from http import HTTPStatus
from ipaddress import IPv4Address
from typing import Any, Final

from picows import WSUpgradeRequest
from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.clock import Clock, now_ms
from nc.domain.addresses import Network
from nc.domain.errors import AddressPoolExhausted, DomainError
from nc.domain.events import Event, pb
from nc.domain.presence import Reason
from nc.hub.acceptor import Acceptor, Connection
from nc.hub.admission import Refused, admit
from nc.hub.limits import CHECKS_BEFORE_PING, CHECKS_PER_TIMEOUT, LINKS_PER_TURN, Limits
from nc.hub.recorder import LinkRecorder
from nc.hub.session import Link
from nc.hub.switch import Drop, Switch
from nc.net import wire
from nc.net.wire import Close, CloseCode, Frame, HandshakeError
from nc.replica.replica import DiskFull, Overloaded, Replica, Stopping, Unwritable
from nc.secrets import RequestIds, TokenIds

# How the end that an event tells of is told to the node.
_CLOSES: Final = {
    pb.STATE_CHANGE_REASON_LINK_SUPERSEDED: wire.SUPERSEDED,
    pb.STATE_CHANGE_REASON_UNREGISTERED: wire.UNREGISTERED,
    pb.STATE_CHANGE_REASON_EXPIRED: wire.EXPIRED,
}


class Hub:
    """The links of one server.

    Args:
        replica: decides and remembers.
        network: the overlay network.
        tls: what a new connection is secured with; None is plain text.
        token_ids, clock, request_ids: see there.
        log: a line for each link that opens and closes.
        interconnection: whether nodes may reach each other.
        limits: what links may take of time and room.

    Attributes:
        switch: where packets go.
        links: those that live, by their ids.
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
        limits: Limits,
    ) -> None:
        self._replica = replica
        self._journal = LinkRecorder(replica, clock)
        self._prefix_length = network.prefix_length
        self._token_ids = token_ids
        self._clock = clock
        self._request_ids = request_ids
        self._log = log
        self._limits = limits
        self._door = Acceptor(self._greet, tls, log, limits)
        self.switch = Switch(network, interconnection=interconnection)
        self.links: dict[str, Link] = {}
        self._handshakes: dict[Link, asyncio.Task[None]] = {}
        self._open: set[Link] = set()  # their sockets are: links that live, or are being closed
        self._all_gone = asyncio.Event()  # set while that is empty
        self._all_gone.set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._door_task: asyncio.Task[None] | None = None

    @property
    def turned_away(self) -> int:
        """Connections that ended before they asked for a link: no certificate of ours, mostly."""
        return self._door.turned_away

    def start(self, listener: socket.socket) -> "dict[str, asyncio.Task[None]]":
        """Serve on a port that listens; returns the tasks that no link can do without."""
        self._replica.observe(self.follow)
        self._door_task = asyncio.create_task(self._door.serve(listener), name="link-door")
        return {"link_acceptor": self._door_task, "link_watch": self._spawn(self._watch())}

    async def stop_accepting(self) -> None:
        """Take no more links, and see newcomers off; links that are there stay."""
        if self._door_task is not None:
            self._door_task.cancel()
            await asyncio.wait([self._door_task])

    async def stop(self) -> None:
        """Close every link that is left, and wait until nothing is left of them."""
        for link in list(self.links.values()):
            self._end(link, wire.STOPPING, pb.STATE_CHANGE_REASON_REPLICA_STOPPED)
        await self._all_gone.wait()  # whoever does not answer a close frame is cut off
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def follow(self, events: Iterable[Event]) -> None:
        """End the links that events say are dropped."""
        for event in events:
            if event.WhichOneof("kind") != "state_changed":
                continue
            change = event.state_changed
            link = self.links.get(change.link_id)
            if link is not None and change.to_state == pb.CONNECTION_STATE_IDLE:
                self._end(link, _CLOSES.get(change.reason, wire.STOPPING), change.reason)

    def _greet(self, connection: Connection, request: WSUpgradeRequest) -> Link:
        """Grant a link.

        Raises:
            Refused: there is none for this request.
        """
        try:
            return self._admit(connection, request)
        except Refused as refusal:
            self._log.info(
                log_events.LINK_REFUSED,
                peer=connection.peer,
                status=int(refusal.status),
                reason=str(refusal),
            )
            raise

    def _admit(self, connection: Connection, request: WSUpgradeRequest) -> Link:
        if request.path.partition(b"?")[0] != wire.PATH.encode():
            raise Refused(HTTPStatus.NOT_FOUND, f"links are at {wire.PATH}, and nothing else is")
        busy = partial(Refused, HTTPStatus.SERVICE_UNAVAILABLE)
        node_id = admit(
            request.headers.get(wire.TOKEN_HEADER, ""),
            connection.certificate_pem,
            self._token_ids,
            self._replica.state.nodes,
            now_ms(self._clock),
        )
        if len(self._open) >= self._limits.max_links:
            most = self._limits.max_links
            raise busy(f"this server has {most} links and takes no more; try again later")
        if len(self._handshakes) >= self._limits.max_handshakes:
            raise busy("too many nodes are connecting at once; try again in a moment")
        return Link(
            self,
            node_id,
            self._request_ids.new(),
            connection.peer,
            offloads=wire.offers_offload(request.headers.get(wire.SUBPROTOCOL_HEADER)),
            since_ns=self._clock.now_ns(),
            close_timeout_s=self._limits.close_timeout_s,
        )

    def on_open(self, link: Link) -> None:
        """The upgrade is done: the handshake begins."""
        hello: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        link.take = partial(self._take_hello, link, hello)
        self.links[link.link_id] = link
        self._open.add(link)
        self._all_gone.clear()
        self._handshakes[link] = self._spawn(self._shake_hands(link, hello))
        self._handshakes[link].add_done_callback(lambda _: self._handshakes.pop(link))

    def on_fragment(self, link: Link) -> None:
        """A piece of a message is no packet."""
        self.switch.drop(link.port, Drop.FRAGMENTED)

    def on_gone(self, link: Link) -> None:
        """The other end closed the link, or it broke."""
        self._drop(link, None, pb.STATE_CHANGE_REASON_LINK_CLOSED)

    def on_lost(self, link: Link) -> None:
        """Nothing is left of the connection."""
        self._open.discard(link)
        if not self._open:
            self._all_gone.set()

    def _take_hello(self, link: Link, hello: "asyncio.Future[bytes]", frame: Frame) -> None:
        """The first frame is the handshake's; no packet can be sent before there is an address."""
        if hello.done():
            self.switch.drop(link.port, Drop.TOO_EARLY)
        else:
            hello.set_result(bytes(frame[: wire.MAX_HANDSHAKE_BYTES + 1]))

    async def _shake_hands(self, link: Link, hello: "asyncio.Future[bytes]") -> None:
        """Bring a link from its beginning to where packets flow, or end it."""
        refused = pb.STATE_CHANGE_REASON_LINK_REFUSED
        try:
            async with asyncio.timeout(self._limits.hello_timeout_s):
                await self._journal.accept(link)
                wire.read_hello(await hello)
            await self._journal.hand_over(link)
        except TimeoutError:
            self._drop(link, wire.NO_HELLO, refused)
        except (AddressPoolExhausted, Overloaded, DiskFull, Unwritable, Stopping) as error:
            self._drop(link, Close(CloseCode.TRY_AGAIN_LATER, str(error)), refused)
        except (HandshakeError, DomainError) as error:
            self._drop(link, Close(CloseCode.POLICY, str(error)), refused)
        except Exception:  # noqa: BLE001 - a bug, which must not leave the node half-way
            self._log.exception(log_events.LINK_CRASHED)
            self._drop(link, wire.BROKEN, refused)
        else:
            self._hand_over(link)

    def _hand_over(self, link: Link) -> None:
        """The address is the node's, durably: tell it, and let packets flow.

        Not reached by a link that was dropped meanwhile: its end cancels the handshake.
        """
        address = self._replica.state.addresses.address_of(link.node_id)
        link.port.address = int(IPv4Address(address))
        self.switch.attach(link.port)
        link.take = partial(self.switch.receive, link.port)
        link.say(wire.answer(address, self._prefix_length))
        self._log.info(
            log_events.LINK_OPENED,
            node_id=link.node_id,
            link_id=link.link_id,
            peer=link.peer,
            address=address,
            offloads=link.offloads,
        )

    def _drop(self, link: Link, close: Close | None, reason: Reason) -> None:
        """End a link, once, and have that recorded; `close` is for the node, if it can hear."""
        if not link.is_over:
            self._end(link, close, reason)
            self._spawn(self._journal.end(link, reason))

    def _end(self, link: Link, close: Close | None, reason: Reason) -> None:
        """Let nothing more in or out."""
        link.is_over = True
        del self.links[link.link_id]
        self.switch.detach(link.port)
        handshake = self._handshakes.get(link)
        if handshake is not None and handshake is not asyncio.current_task():
            handshake.cancel()
        if close is not None:
            link.close(close)
        self._log.info(
            log_events.LINK_CLOSED,
            node_id=link.node_id,
            link_id=link.link_id,
            peer=link.peer,
            reason=pb.StateChangeReason.Name(reason).removeprefix("STATE_CHANGE_REASON_").lower(),
            message="" if close is None else close.reason,
        )

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._limits.silence_timeout_s / CHECKS_PER_TIMEOUT)
            for count, link_id in enumerate(list(self.links), 1):
                self._look(link_id)
                if count % LINKS_PER_TURN == 0:
                    await asyncio.sleep(0)

    def _look(self, link_id: str) -> None:
        """Ask a silent link for a sign of life, and end one that gives none.

        Looks are counted, not seconds: while this process is held up, nobody is silent.
        """
        if (link := self.links.get(link_id)) is None:
            return
        link.heard, link.idle_ticks = False, 0 if link.heard else link.idle_ticks + 1
        if link.idle_ticks >= CHECKS_PER_TIMEOUT:
            self._drop(link, wire.SILENT, pb.STATE_CHANGE_REASON_LINK_SILENT)
        elif link.idle_ticks and link.idle_ticks % CHECKS_BEFORE_PING == 0:
            link.ping()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
