"""Why TLS refuses a certificate for its dates: whose clock is probably wrong, and by how much.

The dates are read in a second handshake that trusts nothing and sends nothing. They serve a
sentence for people only.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from cryptography import x509

from nc.client.tls import ClientTls
from nc.net.dial import dial
from nc.pki.pem import UNREADABLE
from nc.pki.renewal import validity_problem
from nc.text import host_port

# OpenSSL's errors for a certificate that is not valid yet, or not any more (openssl/x509_vfy.h).
NOT_ITS_TIME: Final = {9, 10}

HANDSHAKE_TIMEOUT_S: Final = 5.0  # a program that is to stop waits for it
_DER: Final = 2  # _ssl.ENCODING_DER


async def explain_dates(host: str, port: int, now: datetime, proxy: str | None = None) -> str:
    """What this machine's clock says of a server's certificate, a sentence; "" if unknown."""
    try:
        connected = await dial(host, port, HANDSHAKE_TIMEOUT_S, proxy)
        shown = await asyncio.to_thread(shown_chain, connected, host)
        chain = [x509.load_der_x509_certificate(der) for der in shown]
    except (OSError, UnicodeError, *UNREADABLE):
        return ""
    for certificate in chain:
        if problem := validity_problem(certificate, now):
            return f"the certificate at {host_port(host, port)} {problem}"
    return ""


async def date_problems(
    tls: ClientTls, host: str, port: int, now: datetime, proxy: str | None = None
) -> str:
    """What is wrong with either side's dates by this machine's clock; "" if nothing is known."""
    problems = [await explain_dates(host, port, now, proxy)]
    if tls.certificate_pem is not None:
        with contextlib.suppress(*UNREADABLE):
            own = x509.load_pem_x509_certificate(tls.certificate_pem)
            if problem := validity_problem(own, now):
                problems.append(f"the certificate that is used here {problem}")
    return "; ".join(filter(None, problems))


def shown_chain(connected: socket.socket, host: str) -> list[bytes]:
    """The certificates that a server sends, DER, its own first. None is verified.

    Blocks for a handshake, and closes the connection.

    Raises:
        OSError: there is no handshake.
    """
    with unverified(connected, host) as connection:
        return chain_of(connection)


@contextlib.contextmanager
def unverified(connected: socket.socket, host: str) -> Iterator[ssl.SSLSocket]:
    """A TLS connection for which nothing is verified; it blocks, and is closed at the end.

    Raises:
        OSError: there is no handshake.
    """
    connected.settimeout(HANDSHAKE_TIMEOUT_S)
    context = ClientTls(b"").context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    with connected, context.wrap_socket(connected, server_hostname=host) as connection:
        yield connection


def chain_of(connection: ssl.SSLSocket) -> list[bytes]:
    if hasattr(connection, "get_unverified_chain"):  # Python 3.13
        return list(connection.get_unverified_chain())
    # Until 3.12 it has this name, and no public one; those versions change no more.
    inner: Any = connection._sslobj  # type: ignore[attr-defined]  # noqa: SLF001 - see above
    return [certificate.public_bytes(_DER) for certificate in inner.get_unverified_chain()]
