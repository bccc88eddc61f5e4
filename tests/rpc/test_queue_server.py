"""The queue server, called by gRPC's own client over sockets."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from nc.clock import SystemClock
from nc.pki.authority import CertificateAuthority, IssuedCertificate, self_signed
from nc.pki.certificates import AuthorityKind
from nc.rpc.queue.call import Refusal, ServerCall
from nc.rpc.queue.limits import Limits
from nc.rpc.queue.port import PortTaken
from nc.rpc.queue.selftest import GrpcioUnsupported, require_supported
from nc.rpc.queue.server import QueueServer
from nc.rpc.queue.stream import Stream, StreamRefused
from tests.support.queue_server import (
    CHANNEL_OPTIONS,
    PATIENCE_S,
    STREAM,
    UNARY,
    Gate,
    code_of,
    echo,
    opened,
    serving,
    unary,
)


def streamed(channel: grpc.aio.Channel, messages: list[bytes]) -> Any:
    method: Any = channel.stream_stream(STREAM)
    return method(iter(messages), timeout=PATIENCE_S)


async def test_a_call_is_answered_with_its_trailing_metadata() -> None:
    """The handler gets the bytes that were sent, and the caller those that it answers."""
    async with serving() as running, running.channel() as channel:
        method: Any = channel.unary_unary(UNARY)
        call = method(b"\x00\xff", metadata=(("key", "value"),))
        assert await call == b"\x00\xff"
        assert ("handled", "yes") in tuple(await call.trailing_metadata())
        (admitted,) = running.gate.admitted
        assert admitted.path == UNARY.encode()
        assert ("key", "value") in admitted.metadata
        assert admitted.peer().startswith("ipv4:127.0.0.1:")
        assert admitted.certificate() is None
        await running.until(lambda: running.gate.ended_calls == [(admitted, False)])
        assert running.port.calls_under_way == 0


async def test_an_empty_message_is_a_message() -> None:
    """No bytes are not the same as no message."""
    async with serving() as running, running.channel() as channel:
        assert await unary(channel, b"") == b""


async def test_a_call_is_refused_before_its_body_is_received() -> None:
    """The gate decides by the headers alone, and no handler runs."""
    handled: list[bytes] = []

    def handle(call: ServerCall, message: bytes) -> None:
        handled.append(message)
        echo(call, message)

    def decide(call: ServerCall) -> Refusal | None:
        return Refusal(7, "not you") if call.path == UNARY.encode() else None

    async with serving(handle, decide=decide) as running, running.channel() as channel:
        assert await code_of(unary(channel)) is grpc.StatusCode.PERMISSION_DENIED
        await running.until(lambda: len(running.gate.ended_calls) == 1)
        assert handled == []
        assert running.gate.ended_calls[0][0].status == 7


async def test_an_unknown_method_is_unimplemented() -> None:
    """And the calls after it are answered."""
    async with serving() as running, running.channel() as channel:
        assert await code_of(unary(channel, path="/a/b")) is grpc.StatusCode.UNIMPLEMENTED
        assert await unary(channel) == b"x"


@pytest.mark.parametrize("where", ["gate", "handler", "stream"])
async def test_an_exception_ends_its_call_and_no_other(where: str) -> None:
    """INTERNAL for the caller without the exception's text; reported once; the thread goes on."""

    def fail(call: ServerCall, message: bytes = b"bad") -> None:
        if where == "gate" or message == b"bad":
            raise ZeroDivisionError("a secret")
        echo(call, message)

    async def behave(_stream: Stream) -> None:
        raise ZeroDivisionError("a secret")

    decide = fail if where == "gate" else (lambda _call: None)
    async with serving(fail, behave, decide=decide) as running, running.channel() as channel:
        for _ in range(100):  # more than gRPC is ever asked for at once
            call = opened(channel).read() if where == "stream" else unary(channel, b"bad")
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await call
            assert raised.value.code() is grpc.StatusCode.INTERNAL
            assert "secret" not in str(raised.value)
        if where == "handler":
            assert await unary(channel) == b"x"
        assert [type(error) for error in running.errors] == [ZeroDivisionError] * 100
        await running.until(lambda: running.port.calls_under_way == 0)


async def test_calls_beyond_the_limit_are_refused() -> None:
    """RESOURCE_EXHAUSTED until one of those under way has ended."""
    held: list[ServerCall] = []
    limits = Limits(calls=2)
    async with (
        serving(lambda call, _message: held.append(call), limits=limits) as running,
        running.channel() as channel,
    ):
        under_way = [asyncio.create_task(unary(channel)) for _ in range(2)]
        await running.until(lambda: len(held) == 2)
        assert await code_of(unary(channel)) is grpc.StatusCode.RESOURCE_EXHAUSTED
        await running.until(lambda: running.port.calls_under_way == 2)
        held.pop().reply(b"1")
        await running.until(lambda: running.port.calls_under_way == 1)
        third = asyncio.create_task(unary(channel))
        await running.until(lambda: len(held) == 2)
        for call in held:
            call.reply(b"1")
        assert await asyncio.gather(*under_way, third) == [b"1"] * 3


async def test_a_stream_has_messages_in_both_directions() -> None:
    """In order, until the caller has sent all."""
    async with serving() as running, running.channel() as channel:
        messages = [b"a", b"", b"c" * 100_000]
        call = streamed(channel, messages)
        assert [message async for message in call] == messages
        assert await call.code() is grpc.StatusCode.OK
        await running.until(lambda: running.port.calls_under_way == 0)


async def test_a_stream_is_refused_with_a_status() -> None:
    """Before or after messages."""

    async def behave(stream: Stream) -> None:
        stream.call.trailing = (("handled", "yes"),)
        await stream.write(b"one")
        raise StreamRefused(5, "no more")

    async with serving(behaviour=behave) as running, running.channel() as channel:
        call = opened(channel)
        assert await call.read() == b"one"
        assert await call.code() is grpc.StatusCode.NOT_FOUND
        assert await call.details() == "no more"
        assert ("handled", "yes") in tuple(await call.trailing_metadata())


async def test_a_taken_port_is_an_error() -> None:
    """And a server that was never started stops, and gives its port back."""
    first, second = (QueueServer(SystemClock(), print) for _ in range(2))
    options = (("grpc.so_reuseport", 0),)
    number = first.listen("127.0.0.1:0", {}, Gate(), options=options).number
    with pytest.raises(PortTaken):
        second.listen(f"127.0.0.1:{number}", {}, Gate(), options=options)
    await first.stop(0)
    second.listen(f"127.0.0.1:{number}", {}, Gate(), options=options)
    await second.stop(0)


def _identity(authority: CertificateAuthority) -> tuple[tuple[bytes, bytes], IssuedCertificate]:
    issued = authority.issue_server(("localhost", "127.0.0.1"), datetime.now(UTC), 3)
    return (issued.key_pem, issued.certificate_pem), issued


async def test_certificates_are_replaced_while_serving() -> None:
    """Open connections go on; new ones see the new certificate, and callers are recognised."""
    now = datetime.now(UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    authority = self_signed(AuthorityKind.GRPC, key, now, serial=1)
    client = authority.issue_client("someone", "somewhere", now, 2)
    shown: list[Any] = []

    def configuration(serial: int) -> Any:
        issued = authority.issue_server(("localhost",), now, serial)
        pair = (issued.key_pem, issued.certificate_pem)
        return grpc.ssl_server_certificate_configuration([pair], authority.certificate_pem)

    dynamic: Any = grpc.dynamic_ssl_server_credentials
    credentials = dynamic(
        configuration(3),
        lambda: shown.pop() if shown else None,
        require_client_authentication=True,
    )
    client_credentials = grpc.ssl_channel_credentials(
        authority.certificate_pem, client.key_pem, client.certificate_pem
    )

    async with serving(credentials=credentials) as running:

        def channel() -> grpc.aio.Channel:
            options = (*CHANNEL_OPTIONS, ("grpc.ssl_target_name_override", "localhost"))
            return grpc.aio.secure_channel(running.target, client_credentials, options=options)

        async with channel() as before:
            assert await unary(before) == b"x"
            shown.append(configuration(4))
            async with channel() as after:
                assert await unary(after) == b"x"
            assert not shown
            assert await unary(before) == b"x"
        certificates = {call.certificate() for call in running.gate.admitted}
        assert len(running.gate.admitted) == 3
        assert {pem.strip() for pem in certificates if pem} == {client.certificate_pem.strip()}


async def test_the_self_test_passes_with_this_grpcio() -> None:
    """What the start of the program tries works here."""
    await require_supported(SystemClock(), "unix-abstract:nc-test-self-test")


async def test_the_self_test_names_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator learns the version, the reason and the remedy, in one line."""
    monkeypatch.setattr("nc.rpc.queue.selftest._TIMEOUT_S", 0.5)
    monkeypatch.setattr("nc.rpc.queue.call.SendStatus", lambda: None)  # other parameters
    with pytest.raises(GrpcioUnsupported, match=r"^grpcio [\d.]+ cannot be used: .*pip install"):
        await require_supported(SystemClock(), "unix-abstract:nc-test-broken")
    monkeypatch.setattr("grpc.__version__", "2.0.0")
    with pytest.raises(GrpcioUnsupported, match=r"^grpcio 2\.0\.0 .* not tested"):
        await require_supported(SystemClock(), "unix-abstract:nc-test-version")
