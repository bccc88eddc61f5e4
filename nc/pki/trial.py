"""Tries whether what a CA signs is accepted: a TLS handshake in memory, in both directions.

A company's intermediate CA may be limited (extended key usage, name constraints, path length), and
each library reads the limits in its own way. OpenSSL is asked, before anything is handed out.
"""

import os
import ssl
from collections.abc import Callable
from datetime import datetime

from nc.pki.authority import CertificateAuthority, IssuedCertificate
from nc.pki.certificates import NODE_ORGANIZATION
from nc.pki.errors import NotAnAuthority

_NAME = "localhost"
_NO_CHECK_TIME = ssl.VerifyFlags(0x200000)  # X509_V_FLAG_NO_CHECK_TIME (openssl/x509_vfy.h)
_ROUNDS = 10  # a handshake takes three


def require_usable(
    authority: CertificateAuthority, now: datetime, next_serial: Callable[[], int]
) -> None:
    """Check an intermediate CA by certificates that it signs; they are thrown away.

    Raises:
        NotAnAuthority: a node refuses the server's certificate, or the server a node's.
    """
    if not authority.is_intermediate or not authority.is_valid(now):
        return
    node = authority.issue_client(_NAME, NODE_ORGANIZATION, now, next_serial())
    server = authority.issue_server([_NAME], now, next_serial())
    context = anchored(ssl.PROTOCOL_TLS_SERVER, authority.certificate_pem)
    context.verify_mode = ssl.CERT_REQUIRED
    load_identity(context, server, authority.certificate_pem)
    client = anchored(ssl.PROTOCOL_TLS_CLIENT, authority.certificate_pem)
    load_identity(client, node, authority.certificate_pem)
    for tried in (context, client):
        tried.verify_flags |= _NO_CHECK_TIME  # `now` decides, not OpenSSL's clock
    try:
        _shake_hands(client, context)
    except ssl.SSLCertVerificationError as error:
        raise NotAnAuthority(
            authority.path,
            f"TLS refuses what this intermediate CA signs: {error.verify_message}",
            "use one that may sign for servers and for clients (extended key usage, name "
            "constraints and path length permitting), or let the server make its own: move the "
            "folder away",
        ) from None


def anchored(protocol: int, ca_pem: bytes) -> ssl.SSLContext:
    """A context that trusts these CAs, also intermediate ones, and no other."""
    context = ssl.SSLContext(protocol)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=ca_pem.decode("ascii"))
    return context


def load_identity(context: ssl.SSLContext, issued: IssuedCertificate, above_pem: bytes) -> None:
    """Let a context show a certificate, and the CAs above it, without a file on a disk."""
    with os.fdopen(os.memfd_create("identity.pem"), "wb") as file:  # `ssl` reads files only
        file.write(b"\n".join([issued.certificate_pem, above_pem, issued.key_pem]))
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")


def _shake_hands(client: ssl.SSLContext, server: ssl.SSLContext) -> None:
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server, server_hostname=_NAME),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    for _ in range(_ROUNDS):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
