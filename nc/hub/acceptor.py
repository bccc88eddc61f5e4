"""The acceptor: accepts TCP, does TLS and reads the request for a link, all within limits.

    accepted ──▶ silent ──▶ ready ──▶ beginning ──▶ a link, or a refusal
                 no byte    waits     TLS and the
                 yet        for TLS   request

A silent connection costs little, and has little time. TLS costs much: so there are few places for
it, which the parties (addresses) get in turn. Where a newcomer needs room the oldest of the party
that has most gives way, and silent ones first. So connections that say nothing keep nobody out, and
one address none of another; a cluster behind one address has all places if nobody else comes.
"""

import asyncio
import resource
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import aiofastnet
import aiofastnet.constants
from picows import WSUpgradeRequest
from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.hub.connection import AcceptedConnection, Upgrade
from nc.hub.crowd import Crowd
from nc.hub.limits import Limits
from nc.hub.peer_link import PeerLink
from nc.hub.reachable import Reachable
from nc.hub.refusals import BEFORE_THE_REQUEST, LinkRefused, Refusal, bug_of_ours
from nc.hub.request import RequestReader
from nc.hub.session import Session
from nc.net.party import party_at
from nc.text import host_port

# How long TLS may take to close.
_TLS_SHUTDOWN_S: Final = 1.0

# With no file descriptor left, how long until the next try.
_OUT_OF_FILES_PAUSE_S: Final = 0.1

# TLS buffers, in and out: a record, and the largest frame. aiofastnet's own choice is 264 KiB each,
# all of which a link that was busy once would keep.
_TLS_RECORD_BYTES: Final = 16 * 1024 + 64
_TLS_READ_BYTES: Final = _TLS_RECORD_BYTES
_TLS_WRITE_BYTES: Final = 5 * _TLS_RECORD_BYTES

# How much is read from one link in one turn of the event loop: more than two hundred small packets,
# a millisecond's work. aiofastnet has no other way to set it.
aiofastnet.constants.MAX_READ_BYTES_PER_CYCLE_HINT = _TLS_READ_BYTES

# The share of all file descriptors that connections may take which are not links yet.
_SHARE_OF_FILES: Final = 4


class Newcomer:
    """A connection that is no link yet.

    Attributes:
        peer: the other end's address and port, for people to read.
        party: whom its place counts for.
        since_s: when it got its place for TLS, or was last found to wait for us, by the loop.
        timer: ends it, while it is silent.
        has_begun: its task is running, and closes it.
        has_asked: its request is complete: it is a link or refused in a moment.
        refusal: why it fails, if it fails now.
    """

    def __init__(self, accepted: socket.socket, address: tuple[Any, ...]) -> None:
        host, port = str(address[0]).removeprefix("::ffff:"), int(address[1])
        self.socket = accepted
        self.peer = host_port(host, port)
        self.party = party_at(host) or host
        self.since_s = 0.0
        self.timer: asyncio.TimerHandle | None = None
        self.task: asyncio.Task[None] | None = None
        self.has_begun = self.has_asked = False
        self.refusal = Refusal.SILENT

    def waits_for_us(self) -> bool:
        """Whether it has said something that this busy server has not read or answered yet."""
        try:
            return self.has_asked or bool(
                self.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            )
        except OSError:  # there is nothing, or the connection is closed
            return False


class Acceptor:
    """Accepts connections on the link port.

    Args:
        upgrade: makes the session for a request, or raises LinkRefused.
        tls: gives the context for a new connection; None for plain text.
        reachable: where this server and its peers are, for agents.

    Attributes:
        silent: the connections that no byte came from yet.
        ready: those that wait for a place.
        beginning: those with a place, until they are links or refused.
        refused: how many connections became no link, by reason.
    """

    def __init__(
        self,
        upgrade: Upgrade,
        tls: Callable[[], ssl.SSLContext | None],
        log: FilteringBoundLogger,
        limits: Limits,
        reachable: Reachable,
    ) -> None:
        self._upgrade = upgrade
        self._reachable = reachable
        self._tls = tls
        self._log = log
        self._limits = limits
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._max_waiting = min(limits.max_waiting, files // _SHARE_OF_FILES)
        self.silent: Crowd[Newcomer] = Crowd()
        self.ready: Crowd[Newcomer] = Crowd()
        self.beginning: Crowd[Newcomer] = Crowd()
        self._retry: asyncio.TimerHandle | None = None
        self.refused: Counter[Refusal] = Counter()

    @property
    def turned_away(self) -> int:
        """Connections that ended before the request: mostly clients without our certificate."""
        return sum(self.refused[reason] for reason in BEFORE_THE_REQUEST)

    async def serve(self, listener: socket.socket) -> None:
        """Accept until cancelled; then close the listener and all newcomers."""
        loop = asyncio.get_running_loop()
        listener.setblocking(False)
        tasks: set[asyncio.Task[None]] = set()
        try:
            while True:
                try:
                    accepted, address = await loop.sock_accept(listener)
                except OSError:  # no file descriptor is left, or the client has closed
                    if self.silent:
                        self._end(self.silent.oldest_of_largest(), Refusal.DISPLACED)
                    await asyncio.sleep(_OUT_OF_FILES_PAUSE_S)
                    continue
                self._enter(Newcomer(accepted, address))
                await asyncio.sleep(0)  # `sock_accept` does not wait while there are more
        finally:
            listener.close()
            for one in (*self.silent, *self.ready):
                self._end(one, Refusal.DISPLACED)
            tasks = {one.task for one in self.beginning if one.task is not None}
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    def _enter(self, one: Newcomer) -> None:
        """Wait for its first byte."""
        if len(self.silent) + len(self.ready) >= self._max_waiting:
            self._end((self.silent or self.ready).oldest_of_largest(), Refusal.DISPLACED)
        loop = asyncio.get_running_loop()
        self.silent.add(one.party, one)
        timeout_s = self._limits.first_byte_timeout_s
        one.timer = loop.call_later(timeout_s, self._end, one, Refusal.SILENT)
        loop.add_reader(one.socket, self._on_first_byte, one)

    def _on_first_byte(self, one: Newcomer) -> None:
        self._hear_no_more(one)
        self.ready.add(one.party, one)
        self._begin()

    def _hear_no_more(self, one: Newcomer) -> None:
        if one.timer is not None:
            one.timer.cancel()
            one.timer = None
            asyncio.get_running_loop().remove_reader(one.socket)
        self.silent.discard(one.party, one)

    def _end(self, one: Newcomer, reason: Refusal) -> None:
        """Close a connection that has no place."""
        self._hear_no_more(one)
        self.ready.discard(one.party, one)
        one.socket.close()
        self.refused[reason] += 1

    def _begin(self) -> None:
        """Give places to those that wait for one, the parties in turn."""
        while self.ready and (
            len(self.beginning) < self._limits.max_newcomers or self._make_room()
        ):
            one = self.ready.pop_next()
            loop = asyncio.get_running_loop()
            one.since_s = loop.time()
            self.beginning.add(one.party, one)
            one.task = loop.create_task(self._receive(one))
            one.task.add_done_callback(partial(self._leave, one))

    def _leave(self, one: Newcomer, _: "asyncio.Task[None]") -> None:
        if not one.has_begun:  # it was cancelled before
            one.socket.close()
            self.refused[one.refusal] += 1
        self.beginning.discard(one.party, one)
        self._begin()

    def _make_room(self) -> bool:
        """Take the place of one that had it for long enough and says nothing; else look later."""
        loop, patience_s = asyncio.get_running_loop(), self._limits.patience_s
        one = self.beginning.oldest_of_largest()
        if one.since_s + patience_s <= loop.time():
            self.beginning.discard(one.party, one)
            if not one.waits_for_us():
                one.refusal = Refusal.DISPLACED
                if one.task is not None:
                    one.task.cancel()
                return True
            one.since_s = loop.time()
            self.beginning.add(one.party, one)
        if self._retry is None:
            self._retry = loop.call_at(one.since_s + patience_s, self._begin_again)
        return False

    def _begin_again(self) -> None:
        self._retry = None
        self._begin()

    async def _receive(self, one: Newcomer) -> None:
        """Bring a connection to its link, or close it."""
        transport: asyncio.Transport | None = None
        is_closed = False  # or about to be, in order
        one.has_begun, one.refusal = True, Refusal.NO_TLS
        try:
            async with asyncio.timeout(self._limits.upgrade_timeout_s):
                connection = AcceptedConnection(
                    self._ask, one.peer, self._log, self._reachable, self._limits.close_timeout_s
                )
                hand_over = partial(self._hand_over, one, connection)
                transport, reader = await self._connect(one.socket, hand_over)
                one.refusal = Refusal.NO_REQUEST
                await reader.done
                await connection.wait_until_decided()
            is_closed = True
        except LinkRefused as refusal:
            self.refused[refusal.reason] += 1
            is_closed = True
        except OSError:  # SSLError, no certificate of ours, and TimeoutError are among them
            self.refused[one.refusal] += 1
        except asyncio.CancelledError:
            self.refused[one.refusal] += 1
            raise
        finally:
            if not is_closed and transport is not None:
                transport.abort()
            elif not is_closed:
                one.socket.close()

    def _hand_over(
        self,
        one: Newcomer,
        connection: AcceptedConnection,
        transport: asyncio.Transport,
        received: bytes,
    ) -> None:
        one.has_asked = True
        connection.take_over(transport, received)

    def _ask(self, connection: AcceptedConnection, request: WSUpgradeRequest) -> Session | PeerLink:
        """The session for a request.

        Raises:
            LinkRefused: there is none; a bug of ours goes to the log, and the client gets a 500.
        """
        try:
            return self._upgrade(connection, request)
        except LinkRefused as refusal:
            self.refused[refusal.reason] += 1
            raise
        except Exception:  # noqa: BLE001 - picows would send its text to the client
            self._log.exception(log_events.LINK_CRASHED)
            self.refused[Refusal.BUG] += 1
            raise bug_of_ours() from None

    async def _connect(
        self, accepted: socket.socket, hand_over: Callable[[asyncio.Transport, bytes], None]
    ) -> tuple[asyncio.Transport, RequestReader]:
        tls = self._tls()
        transport, reader = await aiofastnet.connect_accepted_socket(
            asyncio.get_running_loop(),
            partial(RequestReader, hand_over),
            accepted,
            ssl=tls,
            ssl_shutdown_timeout=None if tls is None else _TLS_SHUTDOWN_S,
            ssl_incoming_bio_size=None if tls is None else _TLS_READ_BYTES,
            ssl_outgoing_bio_size=None if tls is None else _TLS_WRITE_BYTES,
        )
        # The transport would keep Python's parsed copy of the certificate, which nothing reads.
        (transport.get_extra_info("peercert") or {}).clear()
        return transport, reader
