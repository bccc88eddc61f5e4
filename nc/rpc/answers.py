"""From an error to the client's answer: the one place where codes and statuses are chosen.

LiteKube's methods answer what reached the application inside a gRPC OK, with a `code` that existing
clients read; what did not is a gRPC status (LiteKube API contract, §2). Our own methods answer with
statuses alone.
"""

from typing import Final, NamedTuple

import grpc
from google.protobuf.message import DecodeError

from eventlog import LogError, RecordTooLarge
from nc.contract import CLIENT_MISTAKE, SERVER_FAULT
from nc.domain import errors as domain
from nc.domain import operator_errors as operator
from nc.domain import replica_errors as replica
from nc.pki.errors import InvalidName, PkiError
from nc.pki.requests import RequestUnusable
from nc.replica.errors import (
    NotCurrent,
    NotLeading,
    OutcomeOpen,
    Overloaded,
    Stopping,
    Unwritable,
    WriteRefused,
)
from nc.rpc.abuse import TooManyGuesses
from nc.rpc.admin import errors as admin
from nc.rpc.admission import TooManyStreams
from nc.rpc.node import errors as node
from nc.rpc.permissions import PermissionDenied

Code = grpc.StatusCode

_STATUS_NAMES = {code.value[0]: code.name for code in Code}


class MethodUnknown(Exception):
    """The path of a call is no method's."""

    def __init__(self) -> None:
        super().__init__("no such method here; check its name and the port")


class ServiceUnknown(Exception):
    """A health check asks about a service that is not here."""

    def __init__(self) -> None:
        super().__init__("there is no service of this name here")


class Answer(NamedTuple):
    """A code and a sentence, in a response."""

    code: str
    message: str
    is_unforeseen: bool = False  # a bug of ours


class Status(NamedTuple):
    """A gRPC status instead of a response."""

    code: grpc.StatusCode
    message: str
    is_unforeseen: bool = False


# Errors that are a status whatever the method.
_ALWAYS: Final[dict[type[Exception], grpc.StatusCode]] = {
    PermissionDenied: Code.PERMISSION_DENIED,
    Overloaded: Code.RESOURCE_EXHAUSTED,
    TooManyStreams: Code.RESOURCE_EXHAUSTED,
    TooManyGuesses: Code.RESOURCE_EXHAUSTED,
    MethodUnknown: Code.UNIMPLEMENTED,
    ServiceUnknown: Code.NOT_FOUND,
    Stopping: Code.UNAVAILABLE,
    NotLeading: Code.UNAVAILABLE,
    NotCurrent: Code.UNAVAILABLE,
}

# Where all errors are statuses. Of a class that is not here, its nearest base counts.
_BY_STATUS: Final[dict[grpc.StatusCode, tuple[type[Exception], ...]]] = {
    Code.INVALID_ARGUMENT: (
        *(domain.BootstrapTokenEmpty, domain.BootstrapTokenMalformed, domain.LifetimeTooLong),
        *(domain.NodeTokenEmpty, domain.ServerNodeFixed, domain.ExpiryTooLate),
        *(operator.TokenLabelInvalid, operator.NamePrefixInvalid, operator.NodeNameInvalid),
        *(operator.LabelInvalid, operator.TooManyLabels, operator.NoteInvalid),
        *(operator.AddressNotAssignable, operator.AdministratorNameInvalid),
        *(replica.InvitationLifetimeWrong, replica.ReplicaIdWrong),
        *(admin.BadRequest, RequestUnusable, InvalidName, node.AttemptMalformed),
    ),
    Code.NOT_FOUND: (
        *(domain.BootstrapTokenUnknown, domain.NodeUnknown, domain.ListedNodeUnknown),
        *(operator.TokenReferenceUnknown, operator.NodeReferenceUnknown),
        *(operator.AdministratorUnknown, admin.NotFound, replica.ReplicaUnknown),
    ),
    Code.ALREADY_EXISTS: (
        *(operator.NodeNameTaken, operator.AddressTaken, operator.AlreadyImported),
        replica.ReplicaIdTaken,
    ),
    Code.FAILED_PRECONDITION: (
        *(domain.BootstrapTokenExpired, domain.BootstrapTokenRevoked, domain.NodeExpired),
        *(domain.NodeNotWaiting, domain.NodeKeyUnknown),
        *(domain.LinkSuperseded, domain.IllegalTransition),
        *(domain.SessionEnded, domain.ElectionLost, domain.LeaderKept),
        *(domain.KeyOfAnotherLog, domain.AuthorityOfAnotherLog),
        *(operator.TokenReferenceAmbiguous, operator.NodeReferenceAmbiguous),
        *(operator.AdministratorAmbiguous, operator.LastAdministrator, operator.ImportRefused),
        *(replica.ReplicaAmbiguous, replica.ReplicaInCharge, replica.ReplicaIsRemoved),
        replica.ReplicaTooOld,
        *(admin.Ambiguous, admin.NotPossible, PkiError),
    ),
    Code.RESOURCE_EXHAUSTED: (
        *(domain.BootstrapTokenUsedUp, domain.TokenNodesReached, domain.NodesReached),
        *(domain.AddressPoolExhausted, domain.AddressRecentlyHeld, domain.TokenShareReached),
        *(admin.WatchTooSlow, admin.TooMuchWork, RecordTooLarge),
    ),
    Code.OUT_OF_RANGE: (admin.OutOfLog,),
    Code.PERMISSION_DENIED: (domain.NotTheNodesKey,),
    Code.UNAUTHENTICATED: (
        *(replica.InvitationUnknown, replica.InvitationExpired, replica.InvitationUsed),
        node.CredentialRefused,
    ),
    Code.ABORTED: (domain.IdTaken,),
    Code.UNAVAILABLE: (WriteRefused, OutcomeOpen, Unwritable),
    Code.DATA_LOSS: (admin.LogUnreadable, LogError),
}
STATUSES: Final[dict[type[Exception], grpc.StatusCode]] = _ALWAYS | {
    kind: code for code, kinds in _BY_STATUS.items() for kind in kinds
}


def answer_to(error: Exception, request_id: str) -> Answer | Status:
    """The answer of a method whose response has a code; never a secret, never a stack trace."""
    if (code := _ALWAYS.get(type(error))) is not None:
        return Status(code, str(error))
    match error:
        case (
            domain.IdTaken()
            | domain.KeyOfAnotherLog()
            | domain.AuthorityOfAnotherLog()
            | domain.SessionEnded()
            | domain.ElectionLost()
            | domain.LeaderKept()
            | OutcomeOpen()
            | Unwritable()
            | WriteRefused()
        ):
            return Answer(SERVER_FAULT, str(error))
        case domain.DomainError():
            return Answer(CLIENT_MISTAKE, str(error))
        case RecordTooLarge():
            return Answer(CLIENT_MISTAKE, _TOO_MUCH)
        case DecodeError():
            return Answer(CLIENT_MISTAKE, _UNREADABLE)
        case _:
            return Answer(SERVER_FAULT, _unforeseen(request_id), is_unforeseen=True)


def status_to(error: Exception, request_id: str) -> Status:
    """The same of a method whose response has no place for a code."""
    if isinstance(error, DecodeError):
        return Status(Code.INVALID_ARGUMENT, _UNREADABLE)
    for kind in type(error).__mro__:
        if (code := STATUSES.get(kind)) is not None:
            return Status(code, str(error))
    return Status(Code.INTERNAL, _unforeseen(request_id), is_unforeseen=True)


_TOO_MUCH: Final = "this request changes too much at once; send it in several parts"
_UNREADABLE: Final = (
    "the request is not a message of this method; "
    "generate the client from the published .proto files"
)


def _unforeseen(request_id: str) -> str:
    return f"an internal error; the operator finds it in the server's log by {request_id}"


def status_name(code: int) -> str:
    """The name of a gRPC status code, as in `PERMISSION_DENIED`."""
    return _STATUS_NAMES[code]
