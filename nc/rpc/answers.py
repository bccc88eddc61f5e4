"""From an error to the client's answer: the one place where codes and statuses are chosen.

What reached the application is answered inside a gRPC OK, with a `code` that existing clients read;
what did not is a gRPC status (LiteKube API contract, §2).
"""

from typing import NamedTuple

import grpc
from google.protobuf.message import DecodeError

from nc.contract import CLIENT_MISTAKE, SERVER_FAULT
from nc.domain.errors import AuthorityOfAnotherLog, DomainError, IdTaken, KeyOfAnotherLog
from nc.replica.errors import Overloaded, Stopping, Unwritable, WriteRefused
from nc.rpc.abuse import TooManyGuesses
from nc.rpc.permissions import PermissionDenied

_STATUS_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}


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


def answer_to(error: Exception, request_id: str) -> Answer | Status:  # noqa: PLR0911 - a table
    """The answer to a call that failed; never a secret, never a stack trace."""
    match error:
        case (
            IdTaken() | KeyOfAnotherLog() | AuthorityOfAnotherLog() | Unwritable() | WriteRefused()
        ):
            return Answer(SERVER_FAULT, str(error))
        case DomainError():
            return Answer(CLIENT_MISTAKE, str(error))
        case DecodeError():
            return Answer(
                CLIENT_MISTAKE,
                "the request is not a message of this method; "
                "generate the client from the published .proto files",
            )
        case PermissionDenied():
            return Status(grpc.StatusCode.PERMISSION_DENIED, str(error))
        case Overloaded() | TooManyGuesses():
            return Status(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
        case MethodUnknown():
            return Status(grpc.StatusCode.UNIMPLEMENTED, str(error))
        case ServiceUnknown():
            return Status(grpc.StatusCode.NOT_FOUND, str(error))
        case Stopping():
            return Status(grpc.StatusCode.UNAVAILABLE, str(error))
        case _:
            return Answer(
                SERVER_FAULT,
                f"an internal error; the operator finds it in the server's log by {request_id}",
                is_unforeseen=True,
            )


def as_status(answer: Answer | Status) -> Status:
    """The same for a standard service, whose responses have no place for a code of ours."""
    if isinstance(answer, Status):
        return answer
    code = {
        CLIENT_MISTAKE: grpc.StatusCode.INVALID_ARGUMENT,
        SERVER_FAULT: grpc.StatusCode.INTERNAL,
    }[answer.code]
    return Status(code, answer.message)


def status_name(code: int) -> str:
    """The name of a gRPC status code, as in `PERMISSION_DENIED`."""
    return _STATUS_NAMES[code]
