"""From an error to what the client is told: one table, and no error without a row in it."""

from collections.abc import Iterator

import grpc
import pytest
from google.protobuf.message import DecodeError

from nc.domain import errors, operator_errors, replica_errors
from nc.replica.errors import Overloaded, Stopping, Unwritable
from nc.rpc.answers import STATUSES as STATUS_OF
from nc.rpc.answers import Answer, Status, answer_to, status_to
from nc.rpc.node.errors import CredentialRefused
from nc.rpc.permissions import PermissionDenied

REQUEST_ID = "0f1e2d3c4b5a69788796"

MISTAKES: tuple[errors.DomainError, ...] = (
    errors.BootstrapTokenEmpty(),
    errors.BootstrapTokenMalformed(),
    errors.BootstrapTokenUnknown(),
    errors.BootstrapTokenExpired(1, 2),
    errors.LifetimeTooLong(6_000_000, 5_256_000),
    errors.NodeTokenEmpty(),
    CredentialRefused(errors.BootstrapTokenRevoked()),
    errors.NodeUnknown(),
    errors.NodeExpired(1, 2),
    errors.ListedNodeUnknown(3),
    errors.ServerNodeFixed(),
    errors.ExpiryTooLate(2, 2**32, 2**32 - 1),
    errors.AddressPoolExhausted("10.1.1.1/24"),
    errors.LinkSuperseded(),
    errors.NodeNotWaiting(),
    errors.IllegalTransition("idle", "establish"),
    errors.BootstrapTokenRevoked(),
    errors.BootstrapTokenUsedUp(3),
    errors.TokenNodesReached(3),
    errors.NodesReached(3),
    errors.AddressRecentlyHeld("10.1.1.1/24", 1000),
    errors.TokenShareReached("10.1.1.1/24", 3),
    errors.NodeKeyUnknown(),
    errors.NotTheNodesKey(),
    operator_errors.TokenReferenceUnknown(),
    operator_errors.TokenReferenceAmbiguous(2),
    operator_errors.TokenLabelInvalid(63),
    operator_errors.NamePrefixInvalid(40),
    operator_errors.NodeReferenceUnknown(),
    operator_errors.NodeReferenceAmbiguous(["a", "b"]),
    operator_errors.NodeNameInvalid(),
    operator_errors.NodeNameTaken("a"),
    operator_errors.LabelInvalid("a b", ""),
    operator_errors.TooManyLabels(33, 32),
    operator_errors.NoteInvalid(1024),
    operator_errors.AddressNotAssignable("10.1.1.4", "10.1.1.1/24"),
    operator_errors.AddressTaken("10.1.1.3", "a"),
    operator_errors.AdministratorNameInvalid(),
    operator_errors.AdministratorUnknown(),
    operator_errors.AdministratorAmbiguous(["1", "2"]),
    operator_errors.LastAdministrator(),
    operator_errors.AlreadyImported(),
    replica_errors.InvitationLifetimeWrong(-1, 604_800),
    replica_errors.InvitationUnknown(),
    replica_errors.InvitationExpired(1, 2),
    replica_errors.InvitationUsed("b", "192.0.2.2", 1),
    replica_errors.ReplicaIdWrong(64),
    replica_errors.ReplicaIdTaken("b"),
    replica_errors.ReplicaUnknown(),
    replica_errors.ReplicaAmbiguous(2),
    replica_errors.ReplicaInCharge("b"),
    replica_errors.ReplicaIsRemoved("b", 1),
    replica_errors.ReplicaTooOld({"b": "0.1"}),
    operator_errors.ImportRefused("a token is there twice"),
)
FAULTS: tuple[Exception, ...] = (
    errors.IdTaken(),
    errors.KeyOfAnotherLog(),
    errors.AuthorityOfAnotherLog("grpc"),
    errors.SessionEnded(),
    errors.ElectionLost(),
    errors.LeaderKept(),
    Unwritable(),
)
STATUSES = {
    PermissionDenied("no"): grpc.StatusCode.PERMISSION_DENIED,
    Overloaded(): grpc.StatusCode.RESOURCE_EXHAUSTED,
    Stopping(): grpc.StatusCode.UNAVAILABLE,
}


def _concrete(kind: type[errors.DomainError]) -> Iterator[type[errors.DomainError]]:
    children = kind.__subclasses__()
    for child in children:
        yield from _concrete(child)
    if not children:
        yield kind


@pytest.mark.parametrize("error", MISTAKES, ids=lambda e: type(e).__name__)
def test_a_refusal_is_400_with_its_own_sentence(error: Exception) -> None:
    """What the caller can put right: 400, in the error's own words."""
    assert answer_to(error, REQUEST_ID) == Answer("400", str(error), is_unforeseen=False)


@pytest.mark.parametrize("error", FAULTS, ids=lambda e: type(e).__name__)
def test_a_fault_of_ours_is_500(error: Exception) -> None:
    """What the caller can do nothing about: 500, foreseen."""
    assert answer_to(error, REQUEST_ID) == Answer("500", str(error), is_unforeseen=False)


@pytest.mark.parametrize("error", STATUSES, ids=lambda e: type(e).__name__)
def test_what_never_reached_the_application_is_a_status(error: Exception) -> None:
    """Denied, too many, stopping: a gRPC status, with the reason as its details."""
    assert answer_to(error, REQUEST_ID) == Status(STATUSES[error], str(error))


def test_bytes_that_cannot_be_read_are_400() -> None:
    """The parser's own words stay inside: they may quote the request."""
    answer = answer_to(DecodeError("secret bytes"), REQUEST_ID)
    assert isinstance(answer, Answer)
    assert (answer.code, answer.is_unforeseen) == ("400", False)
    assert "secret" not in answer.message


@pytest.mark.parametrize("error", [ValueError("secret"), KeyError("secret"), OSError(5, "secret")])
def test_anything_else_is_500_and_says_nothing(error: Exception) -> None:
    """A bug's text may hold anything: the client gets the id by which the operator finds it."""
    answer = answer_to(error, REQUEST_ID)
    assert isinstance(answer, Answer)
    assert (answer.code, answer.is_unforeseen) == ("500", True)
    assert REQUEST_ID in answer.message
    assert "secret" not in answer.message


def test_no_refusal_is_forgotten() -> None:
    """Every error that a decision can raise is in one of the tables above."""
    known = {type(error) for error in (*MISTAKES, *FAULTS)}
    assert set(_concrete(errors.DomainError)) <= known


def test_every_refusal_has_a_status_of_its_own() -> None:
    """Our own methods answer with statuses: each error of the domain was given one on purpose."""
    assert set(_concrete(errors.DomainError)) - STATUS_OF.keys() == set()


@pytest.mark.parametrize("error", [*MISTAKES, *FAULTS], ids=lambda e: type(e).__name__)
def test_a_refusal_is_a_status_with_its_own_sentence(error: Exception) -> None:
    """Never OK, never UNKNOWN, and in the error's own words."""
    status = status_to(error, REQUEST_ID)
    assert status == Status(STATUS_OF[type(error)], str(error))


def test_bytes_that_cannot_be_read_are_an_invalid_argument() -> None:
    """The parser's own words stay inside here, too."""
    status = status_to(DecodeError("secret bytes"), REQUEST_ID)
    assert status.code is grpc.StatusCode.INVALID_ARGUMENT
    assert "secret" not in status.message


@pytest.mark.parametrize("error", [ValueError("secret"), KeyError("secret"), OSError(5, "secret")])
def test_a_bug_is_internal_and_says_nothing(error: Exception) -> None:
    """As with codes: the id alone."""
    status = status_to(error, REQUEST_ID)
    assert (status.code, status.is_unforeseen) == (grpc.StatusCode.INTERNAL, True)
    assert REQUEST_ID in status.message
    assert "secret" not in status.message
