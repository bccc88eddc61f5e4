"""Why there is no connection: real ones that fail, in plain words."""

import asyncio
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from nc.agent.attempt import Attempt
from nc.agent.connecting import connect
from nc.agent.connection import Target
from nc.agent.enrolment import Invitation, ServerUnreachable, redeem
from nc.agent.link_errors import LinkEnded
from nc.client.channel import Channel
from nc.client.connection_errors import describe
from nc.client.errors import CallFailed
from nc.client.tls import ClientTls
from nc.hub.limits import Limits
from nc.pb import network_controller_pb2 as pb
from nc.server.installation import Tuning
from tests.support.whole_server import LOOPBACK, WholeServer, running

_NOBODY = 1  # a port that nobody listens on
IMPATIENT = Tuning(link_limits=Limits(upgrade_timeout_s=0.5))  # with what is no WebSocket
_RAW = ("Errno", "SSL_", "OPENSSL", "TSI", "_NUMBER", "ipv4:", "last error")


def shown(server: WholeServer, *names: str) -> ClientTls:
    """The control port's CA, and with `names` a key and a certificate to show."""
    folder = server.certificates.grpc.paths.ca.parent
    return ClientTls(*((folder / f"{name}.pem").read_bytes() for name in ("ca", *names)))


async def called(port: int, tls: ClientTls | None) -> str:
    """What is said of a call that never arrives."""
    async with Channel(LOOPBACK, port, tls) as client:
        with pytest.raises(CallFailed) as failed:
            await client.call("HealthCheck", pb.HealthCheckRequest())
    return str(failed.value)


async def linked(port: int, tls: ssl.SSLContext | None, problem: str = "") -> str:
    """What is said of a link that never comes about."""
    target = Target(LOOPBACK, port, "0123456789abcdef", tls, certificate_problem=problem)
    with pytest.raises(LinkEnded) as failed:
        await connect(target)
    return str(failed.value)


async def joined(port: int) -> str:
    """What is said of a server that a machine cannot join."""
    attempt = Attempt("a" * 32, ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(ServerUnreachable) as failed:
        await redeem(Invitation("0123456789abcdef", LOOPBACK, port, None), attempt)
    return str(failed.value)


@pytest.mark.parametrize("kind", [ssl.SSLError, ssl.SSLZeroReturnError, ssl.SSLSyscallError])
def test_an_error_of_tls_may_have_no_reason(kind: type[ssl.SSLError]) -> None:
    """OpenSSL's errors have one; those that a library makes do not."""
    assert describe(kind("SSL_set_fd failed")) == "TLS failed: ssl set fd failed"


async def test_who_cannot_be_reached_is_said_in_plain_words(tmp_path: Path) -> None:
    """Nobody there, TLS against plain text and the reverse, strangers' certificates: each by name.

    And none of it with what the libraries call it.
    """
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # aiofastnet tells it, too
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    async with (
        running(tmp_path / "tls") as tls,
        running(tmp_path / "other") as other,
        running(tmp_path / "plain", plaintext=True, tuning=IMPATIENT) as plain,
    ):
        control, link = tls.endpoints.control_port, tls.endpoints.link_port
        ours = shown(tls, "client-key", "client")
        theirs = shown(other, "client-key", "client")
        said = {
            "Connection refused": [
                await called(_NOBODY, ours),
                await linked(_NOBODY, None),
                await joined(_NOBODY),
            ],
            "it does not speak TLS (does it run with --plaintext?)": [
                await called(plain.endpoints.control_port, ours),
                await joined(plain.endpoints.bootstrap_port),
            ],
            "does it want TLS": [await called(control, None)],
            "does the server want TLS?": [await linked(link, None)],
            "does the server speak TLS?": [await linked(plain.endpoints.link_port, context)],
            "the handshake was cut short: it has ended": [
                await linked(plain.endpoints.link_port, context, "it has ended")
            ],
            "is not from the CA that is trusted here": [await called(control, theirs)],
            "does it accept this certificate?": [await called(control, shown(tls))],
        }
    for words, texts in said.items():
        for text in texts:
            assert words in text
            assert not [raw for raw in _RAW if raw in text]
