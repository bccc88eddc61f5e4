"""What every hostile call is held to.

Invariants, of each call and of the server after each test:

    1. there is an answer, or a gRPC status, within the deadline
    2. it holds no stack trace, no exception's class or text, no path of a file
    3. the process lives, and HealthCheck is "200" on both ports
    4. no event was appended, except for what was asked for properly and granted
    5. the server did not come to a bug of its own: no `rpc.crashed`, no traceback
"""

import re
from typing import Any, NamedTuple, Self

import grpc

from eventlog import LogReader
from nc.domain.codec.records import events_of
from nc.pb import network_controller_pb2 as pb
from nc.services import BOOTSTRAP_SERVICE, CONTROL_SERVICE, INTERNAL_SERVICE
from tests.support.server_process import CHANNEL_OPTIONS, ServerProcess

DEADLINE_S = 60.0  # only turns a hang into a failure; the machine may be busy

METHODS = tuple(
    f"/{service.full_name}/{method.name}"
    for service in (CONTROL_SERVICE, BOOTSTRAP_SERVICE, INTERNAL_SERVICE)
    for method in service.methods
)

# What may appear in an answer to nobody: traces, reprs, paths, and names of exception classes.
_FORBIDDEN = re.compile(
    r"""Traceback|File\s"|\.py\b|site-packages|<class|\bobject\sat\s0x|\bself\.|NoneType
    |(?:^|[\s'"(])/(?:[\w.-]+/)+[\w.-]*          # an absolute path
    |\b[A-Z]\w*(?:Error|Exception|Warning)\b     # a class
    |\b\w+Error\(""",
    re.VERBOSE,
)


class Outcome(NamedTuple):
    """How a call ended, as its caller sees it."""

    status: grpc.StatusCode
    details: str
    body: bytes
    metadata: tuple[tuple[str, str | bytes], ...]


def call(
    channel: grpc.Channel,
    path: str,
    data: bytes,
    metadata: Any = (),
    *,
    refused_handshake_is_fine: bool = False,
) -> Outcome:
    """Send bytes to a unary method, and judge what comes back."""
    rpc: Any = channel.unary_unary(path)
    try:
        body, done = rpc.with_call(data, timeout=DEADLINE_S, metadata=metadata)
        outcome = Outcome(grpc.StatusCode.OK, "", body, tuple(done.trailing_metadata()))
    except grpc.RpcError as error:
        outcome = outcome_of(error)
    if not (refused_handshake_is_fine and outcome.status is grpc.StatusCode.UNAVAILABLE):
        judge(outcome, data)
    return outcome


def outcome_of(error: Any) -> Outcome:
    """A status that came instead of an answer."""
    metadata = (*(error.initial_metadata() or ()), *(error.trailing_metadata() or ()))
    return Outcome(error.code(), error.details() or "", b"", metadata)


def judge(outcome: Outcome, sent: bytes) -> None:
    """Hold one answer to the invariants."""
    assert outcome.status not in {
        grpc.StatusCode.DEADLINE_EXCEEDED,  # no answer
        grpc.StatusCode.UNKNOWN,  # what gRPC makes of an exception
        grpc.StatusCode.CANCELLED,  # nobody did
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.INTERNAL,
    }, (outcome, sent)
    body = b"" if outcome.body.startswith(b"\n") and b"hello " in outcome.body else outcome.body
    text = f"{outcome.details}\n{body.decode('utf-8', 'replace')}\n{outcome.metadata}"
    found = _FORBIDDEN.search(text)
    assert found is None, (found, outcome, sent)


def appended(server: ServerProcess) -> int:
    """How many events there are, but for the digests that a server records by itself."""
    kinds = (
        recorded.event.WhichOneof("kind")
        for record in LogReader(server.log_dir).read()
        for recorded in events_of(record)
    )
    return sum(kind != "digest_recorded" for kind in kinds)


class Watched:
    """A server under attack, with a channel to each port.

    Attributes:
        granted: how many events were asked for properly, and granted.
    """

    def __init__(self, server: ServerProcess, *, plaintext: bool) -> None:
        self.server = server
        self.plaintext = plaintext
        self.granted = 0
        self._appended = appended(server)

    def __enter__(self) -> Self:
        self.control = self.channel(self.server.control_target, admin=True)
        self.bootstrap = self.channel(self.server.bootstrap_target, admin=False)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.assert_unharmed()
        finally:
            self.control.close()
            self.bootstrap.close()

    def channel(self, target: str, *, admin: bool) -> grpc.Channel:
        if self.plaintext:
            return grpc.insecure_channel(target, CHANNEL_OPTIONS)
        return grpc.secure_channel(target, self.server.credentials(admin=admin), CHANNEL_OPTIONS)

    @property
    def channels(self) -> tuple[grpc.Channel, grpc.Channel]:
        return self.control, self.bootstrap

    def attack(self, channel: grpc.Channel, path: str, data: bytes, metadata: Any = ()) -> Outcome:
        """As `call`; counts what was granted."""
        outcome = call(channel, path, data, metadata)
        if path.endswith("/GetBootStrapToken") and outcome.status is grpc.StatusCode.OK:
            self.granted += pb.GetBootStrapTokenResponse.FromString(outcome.body).code == "200"
        return outcome

    def assert_unharmed(self) -> None:
        """The server lives, is well, and recorded nothing."""
        assert self.server.is_alive
        for target, service in (
            (self.server.control_target, CONTROL_SERVICE),
            (self.server.bootstrap_target, BOOTSTRAP_SERVICE),
        ):
            with self.channel(target, admin=service is CONTROL_SERVICE) as fresh:
                outcome = call(fresh, f"/{service.full_name}/HealthCheck", b"")
            assert pb.HealthCheckResponse.FromString(outcome.body).code == "200"
        assert appended(self.server) == self._appended + self.granted
        assert self.server.logged("rpc.crashed") == []
        assert b"Traceback" not in self.server.stderr
