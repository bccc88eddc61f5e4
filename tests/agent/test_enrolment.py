"""What a machine that joins is told of a server that TLS objects to."""

import asyncio
import itertools
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from nc.agent.attempt import Attempt
from nc.agent.enrolment import Invitation, ServerUnreachable, redeem
from nc.pki.certificates import AuthorityKind, ca_cert_hash
from nc.pki.folder import open_folder


async def test_a_clock_that_is_wrong_is_named(tmp_path: Path) -> None:
    """The hash is right, the time is not: that may pass, and gRPC would not say it."""
    names, then = {"127.0.0.1"}, datetime.now(UTC) - timedelta(days=3 * 365)
    serials = itertools.count(1000)
    pki = open_folder(tmp_path, AuthorityKind.GRPC, names, then, lambda: next(serials))
    chain = tmp_path / "chain.pem"
    chain.write_bytes(pki.paths.server.read_bytes() + pki.authority.certificate_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, pki.paths.server_key)
    server = await asyncio.start_server(lambda _, w: w.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        pin = ca_cert_hash(pki.authority.certificate_pem)
        attempt = Attempt("a" * 32, ec.generate_private_key(ec.SECP256R1()))
        with pytest.raises(ServerUnreachable, match=r"has expired; .* clock right"):
            await redeem(Invitation("0123456789abcdef", "127.0.0.1", port, pin), attempt)
