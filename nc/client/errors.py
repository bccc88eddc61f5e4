"""What a call can end with instead of a response: one tree, a class for each gRPC status.

`except CallFailed` catches all of them; each has the method, the server, the status and the
server's sentence. The subclasses are those that a program tells apart.
"""

from typing import ClassVar, Final

import grpc

from nc.errors import DAMAGED, UNREACHABLE, USAGE, OperatorError

_OWN_API: Final = "/nc."  # its statuses carry sentences for operators


class CallFailed(OperatorError):
    """A call was answered with a gRPC status instead of a response.

    Attributes:
        method: as gRPC calls it, `/nc.admin.v1.Nodes/Get`.
        target: the server, `HOST:PORT`.
        details: the server's sentence, or why there is no connection; printable.
    """

    code = grpc.StatusCode.UNKNOWN
    advice: ClassVar[str] = "see the server's log"
    says_enough: ClassVar[bool] = False  # our own server's sentence needs nothing beside it

    def __init__(
        self, method: str, target: str, details: str, code: grpc.StatusCode | None = None
    ) -> None:
        self.method, self.target, self.details = method, target, details
        self.code = code or self.code
        if self.says_enough and method.startswith(_OWN_API):
            super().__init__(details or self.code.name)
            return
        name = method.rpartition("/")[2]
        super().__init__(f"{name} at {target}: {self.code.name}: {details}", remedy=self.advice)


class Unavailable(CallFailed):
    """There is no connection, or the server cannot do it now. Trying again may succeed."""

    code = grpc.StatusCode.UNAVAILABLE
    advice = "is the server running there, and are the certificates its own?"
    exit_code = UNREACHABLE
    kind = "unreachable"


class OutOfDate(Unavailable):
    """A certificate is not valid by this machine's clock; the details say which, and what to do."""

    advice = ""


class NotNow(Unavailable):
    """The server answered that it cannot do it now, as with a full disk; its sentence says why."""

    says_enough = True
    advice = ""
    kind = "unavailable"


class DeadlineExceeded(CallFailed):
    """The server did not answer in time; whether it did what was asked is unknown."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED
    advice = (
        "the server did not answer in time; a change may have been made all the same: see whether "
        "it was before you try again"
    )
    exit_code = UNREACHABLE
    kind = "unreachable"


class Refused(CallFailed):
    """The server understood the call, and does not do it. Nothing was changed."""

    says_enough = True
    advice = ""
    kind = "refused"


class InvalidArgument(Refused):
    """A field is not what it should be; the sentence says which, and what is allowed."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    exit_code = USAGE
    kind = "usage"


class NotFound(Refused):
    """There is no such node, token or administrator."""

    code = grpc.StatusCode.NOT_FOUND
    kind = "not found"


class AlreadyExists(Refused):
    """Another node has the name or the address."""

    code = grpc.StatusCode.ALREADY_EXISTS
    kind = "already exists"


class FailedPrecondition(Refused):
    """The reference fits several things, or the change is not possible now."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class PermissionDenied(Refused):
    """The certificate does not allow the call: a viewer's, a node's, or a revoked one."""

    code = grpc.StatusCode.PERMISSION_DENIED


class Unauthenticated(Refused):
    """The certificate or the token is not accepted (any more)."""

    code = grpc.StatusCode.UNAUTHENTICATED


class ResourceExhausted(Refused):
    """A limit is reached. Of a watch: it was read too slowly."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class OutOfRange(Refused):
    """The log does not have the sequence number or the moment."""

    code = grpc.StatusCode.OUT_OF_RANGE


class DataLoss(Refused):
    """The server's log is damaged."""

    code = grpc.StatusCode.DATA_LOSS
    exit_code = DAMAGED
    kind = "damaged"


class Aborted(Refused):
    """A random id was taken. Nothing was changed; try again."""

    code = grpc.StatusCode.ABORTED


class Cancelled(CallFailed):
    """The server broke the call off, as one that stops does."""

    code = grpc.StatusCode.CANCELLED


class Unimplemented(CallFailed):
    """The server does not know the method: it is older, or the port is another."""

    code = grpc.StatusCode.UNIMPLEMENTED
    advice = "is this the right port, and is the server not older than this program?"


_CLASSES: Final[dict[grpc.StatusCode, type[CallFailed]]] = {
    kind.code: kind
    for kind in (
        Unavailable,
        DeadlineExceeded,
        InvalidArgument,
        NotFound,
        AlreadyExists,
        FailedPrecondition,
        PermissionDenied,
        Unauthenticated,
        ResourceExhausted,
        OutOfRange,
        DataLoss,
        Aborted,
        Cancelled,
        Unimplemented,
    )
}


def call_failed(
    method: str, target: str, code: grpc.StatusCode, details: str, *, answered: bool = False
) -> CallFailed:
    """The error for a status; `answered`: it is the server's own, not one that gRPC made here."""
    if answered and code is grpc.StatusCode.UNAVAILABLE:
        return NotNow(method, target, details, code)
    return _CLASSES.get(code, CallFailed)(method, target, details, code)
