"""One call: what its headers say, one message in, one answer out."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote

from nc.rpc.queue.binding import (
    Metadata,
    ReceiveClose,
    ReceiveMessage,
    SendInitialMetadata,
    SendMessage,
    SendStatus,
    cygrpc,
)

if TYPE_CHECKING:
    from nc.rpc.queue.port import Port

# gRPC's status codes, of which this package uses some by itself.
OK: Final = 0
DEADLINE_EXCEEDED: Final = 4
RESOURCE_EXHAUSTED: Final = 8
UNIMPLEMENTED: Final = 12
INTERNAL: Final = 13
UNAVAILABLE: Final = 14

_NO_FLAGS: Final = 0


# Gets a call and its message in the queue's thread, and sees that the call is answered; what it
# returns is left to do on the event loop.
Handle = Callable[["ServerCall", bytes], Coroutine[Any, Any, None] | None]


class Refusal(NamedTuple):
    code: int
    details: str
    hangs_up: bool = False  # end the connection instead


class ServerCall:
    """One call, from its headers to its end.

    `reply` and `refuse` may be called from any thread; the first one counts.

    Attributes:
        path: as it was sent, which need not be UTF-8.
        metadata: what the caller sent along.
        deadline: when the caller gives up, Unix seconds; infinite if it does not say.
        pool, party: which of the port's room the call takes, and whose share of it; set by the
            port's gate.
        context: for the port's gate and the handlers.
        has_room: whether its message is being received, and does not wait for room.
        is_judged: whether the port's gate was asked about it.
        trailing: metadata that goes along with the answer, whatever it is.
        status: the code that it was answered with, if it was.
    """

    __slots__ = (
        "_call",
        "_port",
        "_then",
        "context",
        "deadline",
        "has_room",
        "is_judged",
        "metadata",
        "party",
        "path",
        "pool",
        "status",
        "trailing",
    )

    def __init__(self, port: "Port", event: Any) -> None:
        details = event.call_details
        self._port = port
        self._call = event.call
        self._then: Callable[[bytes | None], None] | None = None
        self.path: bytes = details.method
        self.deadline: float = details.deadline
        self.metadata: Metadata = event.invocation_metadata
        self.pool: object = None
        self.party: object = None
        self.is_judged = self.has_room = False
        self.context: Any = None
        self.trailing: Metadata | None = None
        self.status: int | None = None

    def peer(self) -> str:
        """The caller's address as gRPC writes it: `ipv4:192.0.2.1:4711`, `ipv6:[::1]:4711`."""
        peer = self._call.peer()
        return unquote(peer.decode() if isinstance(peer, bytes) else peer)

    def certificate(self) -> bytes | None:
        """The caller's certificate as PEM, which the TLS handshake has verified."""
        for pem in cygrpc.auth_context(self._call).get(b"x509_pem_cert", ()):
            return bytes(pem)
        return None

    def vouch(self) -> None:
        """Say that new connections from the caller's address are not to be held back."""
        self._port.runner.hang_ups.vouch(self.peer())

    def reply(self, message: bytes) -> None:
        """Answer with a message, and end the call."""
        if self.status is None:
            self.status = OK
            self._finish(
                (
                    SendInitialMetadata(None, _NO_FLAGS),
                    SendMessage(message, _NO_FLAGS),
                    SendStatus(self.trailing, OK, b"", _NO_FLAGS),
                    ReceiveClose(_NO_FLAGS),
                )
            )

    def refuse(self, code: int, details: str) -> None:
        """End the call with a status."""
        if self.status is None:
            self.status = code
            self._finish(
                (
                    SendInitialMetadata(None, _NO_FLAGS),
                    SendStatus(self.trailing, code, details.encode(), _NO_FLAGS),
                    ReceiveClose(_NO_FLAGS),
                )
            )

    def receive(self, then: Callable[[bytes | None], None]) -> None:
        """Receive a message once there is room for it, and call `then` in the queue's thread.

        It gets None once the caller has sent all, is gone, or has not sent one in time.
        """
        self._then, self.has_room = then, False
        self._port.receive(self)

    @property
    def is_waiting(self) -> bool:
        """Whether a message is wanted that has not come."""
        return self._then is not None

    def start_receiving(self) -> bool:
        """Receive the message now: the port has room for it."""
        if self.status is not None:  # it ended while it waited
            return False
        self.has_room = True
        self._port.start_batch(self._call, (ReceiveMessage(_NO_FLAGS),), self._received)
        return True

    def got(self, message: bytes | None) -> None:
        """Go on with what was received, or with nothing."""
        then, self._then = self._then, None
        if then is not None and self.status is None:
            then(message)

    def cancel(self) -> None:
        """End the call at once; the caller gets no answer."""
        self._call.cancel()

    def start(self, operations: tuple[Any, ...], tag: Callable[[Any], None]) -> None:
        """Start operations; `tag` gets their event, in the queue's thread."""
        self._port.start_batch(self._call, operations, tag)

    def answering(self) -> None:
        """A message is being sent; the caller must take it in time."""
        self._port.answering(self)

    def taken(self) -> None:
        """The caller has taken what was sent."""
        self._port.taken(self)

    def report(self, error: Exception) -> None:
        self._port.report(error)

    def ended(self, event: Any) -> None:
        """The call is over; the tag of its last operations, whose last is ReceiveClose."""
        self._port.ended(self, is_cancelled=event.batch_operations[-1].cancelled())

    def _received(self, event: Any) -> None:
        message = event.batch_operations[0].message()
        self._port.received(self, has_come=message is not None)
        self.got(message)

    def _finish(self, operations: tuple[Any, ...]) -> None:
        self._port.answering(self)
        self._port.start_batch(self._call, operations, self.ended)
