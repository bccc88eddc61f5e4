"""For each refusal and each kind of event a bug: it is not refused, or it is not recorded.

The kinds are those that there are, so that a new one has its bug at once. `UNPLANTED` says of the
others why no trial shows them, and what does.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any, Final

import grpc
import pytest

import nc.domain
import nc.replica.batch
from nc.domain.decide import decide
from nc.domain.errors import DomainError, NodeExpired, NodeUnknown, WithoutFacts
from nc.domain.events import Event
from nc.domain.links import AcceptLink
from nc.hub.admission import Admitted, admit
from nc.hub.refusals import LinkRefused, Refusal
from nc.rpc import answers, edge
from nc.rpc.admin.errors import BadRequest
from nc.rpc.answers import Answer, Status
from nc.rpc.node.errors import CredentialRefused
from nc.testing.targets import linkless
from tests.testing.planting import Patch

# A refusal of a call, that of a link, or the name of an event in `Event.kind`.
Kind = type[Exception] | Refusal | str

_REASONS: Final[dict[str, str]] = {
    # events
    "written by `log repair` alone: tests/cli/log/test_cli_log_repair.py and, for any damage, "
    "tests/eventlog/test_log_repair.py": "log_repaired",
    "a year after a node has left, and no trial lasts so long; that it is not forgotten earlier "
    "is in tests/testing/planted_enrolment_bugs.py": "node_forgotten",
    "once in thousands of events: tests/replica/test_replica_digests.py, and "
    "tests/testing/planted_cluster_log_bugs.py": "digest_recorded",
    # several servers
    "of servers that elect a leader: tests/domain/test_leadership.py, and "
    "tests/testing/planted_leader_bugs.py": (
        "leader_elected replica_lost ElectionLost LeaderKept SessionEnded NotLeading NotCurrent "
        "OutcomeOpen NOT_CURRENT"
    ),
    "of servers that exchange packets: tests/domain/test_replica_addresses.py and tests/hub": (
        "replica_address_bound FOREIGN_REPLICA UNKNOWN_REPLICA"
    ),
    # refusals
    "two random ids of 64 bits or more would have to be alike: tests/domain": "IdTaken",
    "of a start with the files of another server: tests/domain/test_link_decisions.py": (
        "KeyOfAnotherLog AuthorityOfAnotherLog"
    ),
    "of a server that has too much to do: tests/rpc and tests/hub": (
        "Overloaded TooManyStreams TooManyGuesses TooMuchWork WatchTooSlow RecordTooLarge "
        "DISPLACED TOO_OFTEN TOO_MANY_LINKS TOO_MANY_HANDSHAKES"
    ),
    "of a server that stops, or cannot write: tests/replica": "Stopping Unwritable WriteRefused",
    "of a log that cannot be read, or is not in a folder: tests/rpc/admin": (
        "LogError LogUnreadable NotPossible"
    ),
    "of a look into the past, of which the model has none: tests/rpc/admin": "NotFound Ambiguous",
    "of a path that no client of ours has: tests/rpc/test_rpc_edge.py": (
        "MethodUnknown ServiceUnknown"
    ),
    "of a CA that has ended, or a name of a server: tests/pki": "PkiError InvalidName",
    "before a node has said who it is: tests/hub": (
        "SILENT NO_TLS NO_REQUEST BAD_REQUEST WRONG_VERSION WRONG_PATH"
    ),
    "what is answered to any other error of ours": "BUG",
}
UNPLANTED: Final = {name: reason for reason, names in _REASONS.items() for name in names.split()}

_BASES: Final = {WithoutFacts, BadRequest}


def kinds() -> list[Kind]:
    """All refusals of calls and of links, and all kinds of events."""
    for module in pkgutil.walk_packages(nc.domain.__path__, "nc.domain."):
        importlib.import_module(module.name)
    refusals = {*_below(DomainError), *_below(BadRequest), *answers.STATUSES} - _BASES
    events = [field.name for field in Event.DESCRIPTOR.oneofs_by_name["kind"].fields]
    return [*sorted(refusals, key=name_of), *Refusal, *events]


def _below(kind: type[Exception]) -> Iterator[type[Exception]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)


def name_of(kind: Kind) -> str:
    """That of its class, of the event, or in capitals of the refusal of a link."""
    if isinstance(kind, Refusal):
        return kind.name
    return kind.__name__ if isinstance(kind, type) else kind


def _said_by(error: Exception) -> set[type[Exception]]:
    """The refusals that an error stands for."""
    reason = error.reason if isinstance(error, CredentialRefused) else error
    return {type(error), type(reason)}


def note(seen: Callable[[str], None]) -> Patch:
    """Tell of each refusal and each event, by its name, and change nothing."""

    def deciding(state: Any, command: Any) -> list[Event]:
        try:
            events = decide(state, command)
        except DomainError as error:
            seen(name_of(type(error)))
            raise
        for event in events:
            seen(event.WhichOneof("kind") or "")
        return events

    def answering(original: Any) -> Any:
        def answer(error: Exception, request_id: str) -> Any:
            for kind in _said_by(error):
                seen(name_of(kind))
            return original(error, request_id)

        return answer

    def admitting(*asked: Any) -> Admitted:
        try:
            return admit(*asked)
        except LinkRefused as refused:
            seen(name_of(refused.reason))
            raise

    return _plant(
        deciding, answering(answers.answer_to), answering(answers.status_to), admitting=admitting
    )


def bug_of(kind: Kind) -> Patch:
    """The refusal is forgotten: nothing is changed, and success answered. The event is lost."""
    if isinstance(kind, Refusal):
        return _open_to(kind)
    return _lose(kind) if isinstance(kind, str) else _forget(kind)


def _plant(
    deciding: Any,
    answer_to: Any = answers.answer_to,
    status_to: Any = answers.status_to,
    admitting: Any = admit,
) -> Patch:
    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(nc.replica.batch, "decide", deciding)
        patch.setattr(edge, "answer_to", answer_to)
        patch.setattr(edge, "status_to", status_to)
        patch.setattr(linkless, "admit", admitting)

    return plant


def _lose(kind: str) -> Patch:
    def deciding(state: Any, command: Any) -> list[Event]:
        return [each for each in decide(state, command) if not each.HasField(kind)]

    return _plant(deciding)


def _forget(kind: type[Exception]) -> Patch:
    def deciding(state: Any, command: Any) -> list[Event]:
        try:
            return decide(state, command)
        except DomainError as error:
            if type(error) is kind:
                return []
            raise

    def answer_to(error: Exception, request_id: str) -> Answer | Status:
        is_it = kind in _said_by(error)
        return Answer("200", "ok") if is_it else answers.answer_to(error, request_id)

    def status_to(error: Exception, request_id: str) -> Status:
        is_it = kind in _said_by(error)
        return Status(grpc.StatusCode.OK, "ok") if is_it else answers.status_to(error, request_id)

    return _plant(deciding, answer_to, status_to)


def _open_to(refusal: Refusal) -> Patch:
    """Neither the request for a link is looked at, nor the node when it is accepted."""

    def admitting(token: str, certificate_pem: bytes, ids: Any, *more: Any) -> Admitted:
        try:
            return admit(token, certificate_pem, ids, *more)
        except LinkRefused as refused:
            if refused.reason is refusal:
                return Admitted(ids.id_of(token), None)
            raise

    def deciding(state: Any, command: Any) -> list[Event]:
        try:
            return decide(state, command)
        except (NodeUnknown, NodeExpired):
            if isinstance(command, AcceptLink):
                return []
            raise

    return _plant(deciding, admitting=admitting)
