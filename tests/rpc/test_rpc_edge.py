"""The path of a call in one process: what the edge does around an operation, whatever it does."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from math import inf
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from rpds import HashTrieMap

from nc.clock import now_ms
from nc.domain.errors import NodeUnknown
from nc.domain.nodes import Node
from nc.domain.state import State
from nc.pki.authority import self_signed
from nc.pki.certificates import (
    ADMIN_ORGANIZATION,
    NODE_ORGANIZATION,
    REPLICA_ORGANIZATION,
    VIEWER_ORGANIZATION,
    AuthorityKind,
)
from nc.replica.errors import Overloaded, Unwritable
from nc.rpc.answers import ServiceUnknown
from nc.rpc.callers import Transport
from nc.rpc.methods import Method
from nc.rpc.permissions import Permission
from tests.rpc.edge_bench import EXPIRES_MS, NODE_ID, TOKEN, UUID, Bench, Context, Refused, raising
from tests.support.whole_server import MovableClock


@pytest.mark.parametrize("data", [b"\x0a\xff", b"\x0a\x02\xc3\x28", b"\xff" * 20, b"\x0b"])
def test_bytes_that_are_no_request_are_400(data: bytes) -> None:
    """Not a message, or text that is not UTF-8: 400 in the response, and the operation not run."""
    answer = Bench().call(raising(AssertionError("it ran")), data)
    assert (answer.code, answer.connState) == ("400", -1)


def test_rights_come_before_reading() -> None:
    """Who may not call learns nothing of what is wrong with the request."""
    bench, context = Bench(Transport.SERVER_TLS), Context()
    with pytest.raises(Refused):
        bench.call(data=b"\x0a\xff", context=context, permission=Permission.MEMBER)
    assert context.code is grpc.StatusCode.PERMISSION_DENIED


def test_denials_are_counted() -> None:
    """Each one, by method; nothing else is."""
    bench = Bench(Transport.SERVER_TLS)
    for permission in (Permission.ADMIN, Permission.MEMBER):
        with pytest.raises(Refused):
            bench.call(permission=permission)
    bench.call()
    bench.call(raising(NodeUnknown()))
    assert bench.edge.denied == {"CheckConnState": 2}


def test_too_many_calls_are_resource_exhausted() -> None:
    """A full queue is a gRPC status, so that clients wait and try again."""
    bench, context = Bench(), Context()
    with pytest.raises(Refused):
        bench.call(raising(Overloaded()), context=context)
    assert context.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert bench.lines[-1]["code"] == "RESOURCE_EXHAUSTED"
    assert context.request_id == bench.lines[-1]["request_id"]


def test_a_closing_edge_is_unavailable() -> None:
    """New calls while shutting down: UNAVAILABLE, and the operation not run."""
    bench, context = Bench(), Context()
    bench.edge.close()
    with pytest.raises(Refused):
        bench.call(raising(AssertionError("it ran")), context=context)
    assert context.code is grpc.StatusCode.UNAVAILABLE
    assert "shutting down" in context.details


def test_a_bug_is_500_for_the_client_and_a_traceback_for_the_operator() -> None:
    """No text of the error leaves; the log has the traceback, without the values of variables."""
    bench, context = Bench(), Context((UUID,))
    answer = bench.call(raising(ZeroDivisionError("inner secret")), context=context)
    assert answer.code == "500"
    assert UUID in answer.message
    assert "secret" not in answer.message
    assert "Traceback" not in answer.message
    crashed, line = bench.lines
    assert (crashed["event"], crashed["request_id"]) == ("rpc.crashed", UUID)
    assert "Traceback (most recent call last)" in crashed["exception"]
    assert "ZeroDivisionError: inner secret" in crashed["exception"]
    assert TOKEN not in json.dumps(bench.lines)
    assert (line["event"], line["code"]) == ("rpc", "500")


def test_a_log_that_cannot_be_written_is_500_without_a_traceback() -> None:
    """It was reported when it happened, and is not a bug."""
    bench = Bench()
    answer = bench.call(raising(Unwritable()))
    assert answer.code == "500"
    assert [line["event"] for line in bench.lines] == ["rpc"]


@pytest.mark.parametrize(("deadline", "code"), [(inf, "CANCELLED"), (0.0, "DEADLINE_EXCEEDED")])
def test_a_caller_that_goes_away_leaves_a_line(deadline: float, code: str) -> None:
    """A call whose caller did not get the answer is logged as such, once."""
    bench = Bench()
    bench.call(context=Context(deadline=deadline, is_cancelled=True))
    assert [line["code"] for line in bench.lines] == [code]


def test_a_call_that_was_never_answered_leaves_a_line() -> None:
    """Its caller went away before its message came, or the server stopped."""
    bench, context = Bench(), Context()
    bench.edge.open({context.path: _health(lambda *_: b"")})
    assert bench.edge.admit(context) is None
    bench.edge.ended(context, is_cancelled=True)
    assert [line["code"] for line in bench.lines] == ["CANCELLED"]


def test_an_unknown_method_leaves_a_line_without_its_name() -> None:
    """A path may be anything, and is not recorded."""
    bench, context = Bench(), Context(path=b"/\xff" + TOKEN.encode())
    refusal = bench.edge.admit(context)
    assert refusal is not None
    context.refuse(refusal.code, refusal.details)
    bench.edge.ended(context, is_cancelled=False)
    (line,) = bench.lines
    assert (line["method"], line["code"]) == ("unknown", "UNIMPLEMENTED")
    assert TOKEN not in json.dumps(line)


def _health(operation: Callable[..., bytes]) -> Method:
    method = Method("health", bytes, operation, None, Permission.ANYONE)  # type: ignore[arg-type]  # bytes stand for a message
    return replace(method, is_query=True, is_standard=True)


def test_standard_services_are_behind_the_same_guard() -> None:
    """A denied caller never reaches a standard method, and is counted under its name."""
    bench, reached = Bench(Transport.MUTUAL_TLS), []

    def check(request: bytes, _call: Any) -> bytes:
        reached.append(request)
        return b"ok"

    bench.edge.open({b"/CheckConnState": _health(check)})
    assert bench.pass_through(b"anyone", Context()) == b"ok"
    denied = Context(pem=_stranger())
    with pytest.raises(Refused):
        bench.pass_through(b"stranger", denied)
    assert denied.code is grpc.StatusCode.PERMISSION_DENIED
    assert reached == [b"anyone"]
    assert bench.edge.denied == {"health": 1}


def test_a_standard_method_is_answered_while_the_edge_closes() -> None:
    """Health checks go on until the port is closed; their errors are statuses."""
    bench = Bench()
    bench.edge.close()
    bench.edge.open({b"/CheckConnState": _health(lambda *_: b"ok")})
    assert bench.pass_through(b"", Context()) == b"ok"

    def unknown(_request: bytes, _call: Any) -> bytes:
        raise ServiceUnknown

    context = Context()
    bench.edge.open({b"/CheckConnState": _health(unknown)})
    with pytest.raises(Refused):
        bench.pass_through(b"", context)
    assert context.code is grpc.StatusCode.NOT_FOUND


def test_a_party_has_a_share_and_gives_it_back() -> None:
    """Calls beyond a party's share are refused at their headers, and others' are not."""
    bench = Bench()
    share = bench.edge.admission.health.for_party
    method = replace(_health(lambda *_: b"ok"), is_health=True)
    bench.edge.open({b"/CheckConnState": method})
    calls = [Context() for _ in range(share)]
    assert [bench.edge.admit(call) for call in calls] == [None] * share
    refused = bench.edge.admit(Context())
    assert refused is not None
    assert refused.code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
    bench.edge.ended(calls[0], is_cancelled=False)
    assert bench.edge.admit(Context()) is None


def _close(bench: Bench, _clock: MovableClock) -> None:
    bench.edge.close()


def _unregister(bench: Bench, _clock: MovableClock) -> None:
    bench.state = State(unregistered=HashTrieMap({NODE_ID: 2**62}))


def _let_expire(_bench: Bench, clock: MovableClock) -> None:
    clock.ahead_ms = EXPIRES_MS


@pytest.mark.parametrize("happens", [_close, _unregister, _let_expire, None])
def test_a_call_is_judged_again_when_its_message_comes(
    happens: Callable[[Bench, MovableClock], None] | None,
) -> None:
    """What has changed since its headers counts: the operation does not run for it."""
    clock = MovableClock()
    expiring = Node("t", now_ms(clock) + EXPIRES_MS)
    bench = Bench(Transport.MUTUAL_TLS, clock, State(nodes=HashTrieMap({NODE_ID: expiring})))
    reached: list[bytes] = []

    def check(request: bytes, _call: Any) -> bytes:
        reached.append(request)
        return b"ok"

    method = replace(_health(check), permission=Permission.MEMBER, is_standard=False)
    bench.edge.open({b"/CheckConnState": method})
    context = Context(pem=_certificate(NODE_ID, NODE_ORGANIZATION))
    assert bench.edge.admit(context) is None
    if happens is not None:
        happens(bench, clock)
    bench.edge.handle(context, b"")
    assert (context.status == 0, len(reached)) == ((True, 1) if happens is None else (False, 0))


class StillClock(MovableClock):
    """No time passes by itself."""

    def monotonic_ns(self) -> int:
        return (1 + self.ahead_ms) * 1_000_000


@pytest.mark.parametrize(
    ("organization", "expected"),
    [
        (ADMIN_ORGANIZATION, [1, 0, 1, 1]),
        (REPLICA_ORGANIZATION, [1, 0, 1, 1]),
        (VIEWER_ORGANIZATION, [0, 0, 0, 0]),
        ("x", [0, 0, 0, 0]),
    ],
)
def test_an_address_of_an_administrator_or_a_server_is_vouched_for_once_a_second(
    organization: str, expected: list[int]
) -> None:
    """Each from which one certificate is used; nobody else's, who might loop from there."""
    clock = StillClock()
    bench, pem = Bench(Transport.MUTUAL_TLS, clock), _certificate("ops", organization)
    is_replica = organization == REPLICA_ORGANIZATION
    permission = Permission.REPLICA if is_replica else Permission.ANYONE
    method = replace(_health(lambda _request, _call: b""), permission=permission)
    bench.edge.open({b"/CheckConnState": method})
    vouched = []
    for ahead_ms, host in (
        (0, "127.0.0.1"),
        (0, "127.0.0.1"),
        (0, "127.0.0.2"),
        (1000, "127.0.0.1"),
    ):
        clock.ahead_ms += ahead_ms
        context = Context(pem=pem, address=f"ipv4:{host}")
        bench.edge.admit(context)
        vouched.append(context.vouched)
    assert vouched == expected


def _stranger() -> bytes:
    return _certificate("x", "someone")


def _certificate(name: str, organization: str) -> bytes:
    now = datetime.now(UTC)
    authority = self_signed(
        AuthorityKind.GRPC, ec.generate_private_key(ec.SECP256R1()), now, serial=1
    )
    return authority.issue_client(name, organization, now, serial=2).certificate_pem
