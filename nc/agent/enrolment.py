"""Joining: find out which server may get the bootstrap token, then redeem it there.

A machine that joins knows the server's CA by a hash at most. So a first connection does the TLS
handshake only, and looks for the CA in the chain that the server sends; the token is redeemed over
a second one that trusts this CA alone. Only a server with a certificate from the pinned key ever
gets the token.
"""

import asyncio
import socket
import ssl
from typing import Final, NamedTuple

from cryptography import x509

from nc.agent.attempt import Attempt
from nc.agent.state import NodeCertificates
from nc.client.certificate_dates import HANDSHAKE_TIMEOUT_S, NOT_ITS_TIME, explain_dates
from nc.client.connection_errors import describe
from nc.client.port_probe import PortKind, ask, mistaken, other_port
from nc.client.tls import ClientTls
from nc.clock import SystemClock, now_utc
from nc.errors import OperatorError
from nc.net.dial import dial
from nc.net.wire import Address, addresses_text
from nc.pki.certificates import ca_cert_hash
from nc.pki.names import NOT_ITS_NAME
from nc.pki.pem import UNREADABLE, certificate_pem
from nc.text import host_port

_PRINTED_BY: Final = "ncadm tokens issue"


class ServerUnreachable(Exception):
    """No server answers, or not in time. Trying again may succeed."""


class NotOurServer(OperatorError):
    """The server has no certificate from the pinned CA for this name. The token was not sent."""


class TokenRefused(OperatorError):
    """The server refuses the bootstrap token for good; the text is the server's."""


class Invitation(NamedTuple):
    """Where a bootstrap token is redeemed, and the hash of the CA there.

    Attributes:
        others: more places, of servers of the same network.
        name: what the node asks to be called; "": as its hostname.
        is_imported: the token is that of a node which was imported from an upstream server, and
            which gets certificates for a key of its own.
    """

    token: str
    host: str
    port: int
    ca_cert_hash: str | None  # None: any server gets the token
    plaintext: bool = False
    proxy: str | None = None
    others: tuple[Address, ...] = ()
    name: str = ""
    is_imported: bool = False

    def __repr__(self) -> str:
        return f"Invitation({addresses_text(self.places)})"

    @property
    def places(self) -> tuple[Address, ...]:
        return ((self.host, self.port), *self.others)

    @property
    def text(self) -> str:
        """`TOKEN@IP:PORT,…`; a secret."""
        return f"{self.token}@{','.join(f'{host}:{port}' for host, port in self.places)}"

    @property
    def is_safe(self) -> bool:
        """Whether the server is known by more than its address; in plain text it cannot be."""
        return self.plaintext or self.ca_cert_hash is not None


class Enrolled(NamedTuple):
    """What a machine is answered.

    Attributes:
        node_id, name: "" from a server that does not say them.
        host, port: of the link.
        certificates: None in plain text.
        links: where else the node may link, as the server says it.
        redeemed_at: the host that has answered.
    """

    node_token: str
    node_id: str
    name: str
    host: str
    port: int
    certificates: NodeCertificates | None
    links: tuple[Address, ...] = ()
    redeemed_at: str = ""


async def redeem(invitation: Invitation, attempt: Attempt) -> Enrolled:
    """Register this machine as a node, at the first of the places that answers.

    The attempt's id says which one is asked first, so that many machines ask all of them.

    Raises:
        ServerUnreachable, NotOurServer, TokenRefused: it is not registered.
    """
    places = invitation.places
    first = int(attempt.id, 16) % len(places)
    failed: list[ServerUnreachable | NotOurServer] = []
    for host, port in (*places[first:], *places[:first]):
        try:
            answer = await _redeem_at(invitation._replace(host=host, port=port, others=()), attempt)
        except (ServerUnreachable, NotOurServer) as error:
            failed.append(error)
        else:
            return answer._replace(redeemed_at=host)
    if len(failed) == 1:
        raise failed[0]
    text = "; ".join(map(str, failed))
    is_wrong = all(isinstance(error, NotOurServer) for error in failed)
    raise NotOurServer(text) if is_wrong else ServerUnreachable(text)


async def _redeem_at(invitation: Invitation, attempt: Attempt) -> Enrolled:
    """Redeem it with a key of the machine's own, where the server takes one; raises as `redeem`."""
    # gRPC takes some 30 MB, which an agent that has joined before does not need.
    from nc.agent.enrolment_calls import enrol, first_renewal, get_token  # noqa: PLC0415 - see above
    from nc.client.channel import BOOTSTRAP_PORT, Channel  # noqa: PLC0415 - see above
    from nc.client.errors import CallFailed  # noqa: PLC0415 - see above

    tls = None
    if not invitation.plaintext:
        tls = ClientTls(certificate_pem(await find_authority(invitation)))
    client = Channel(invitation.host, invitation.port, tls, BOOTSTRAP_PORT, invitation.proxy)
    try:
        async with client:
            if invitation.is_imported:
                token, name = invitation.token, invitation.name
                return await first_renewal(client, token, attempt, name)
            answer = await enrol(client, invitation.token, attempt, invitation.name)
            return answer or await get_token(client, invitation.token)
    except CallFailed as error:
        if tls is not None:
            await _check_trust(invitation, tls.ca_pem)
            await _check_port(invitation)
        raise ServerUnreachable(str(error)) from None


async def find_authority(invitation: Invitation, printed_by: str = _PRINTED_BY) -> x509.Certificate:
    """The CA to trust there; nothing but a TLS handshake is sent.

    Args:
        invitation: says where, and which CA.
        printed_by: the command that prints an invitation, for messages.

    Raises:
        ServerUnreachable: the handshake failed.
        NotOurServer: another of a server's ports answers there, or the pinned CA is not in the
            chain that the server sends.
    """
    host, port, pin = invitation.host, invitation.port, invitation.ca_cert_hash
    check = f"check the address and the port ({printed_by} prints both)"
    try:
        answer = await ask(host, port, invitation.proxy)
        chain = [x509.load_der_x509_certificate(der) for der in answer.chain]
        hashes = [ca_cert_hash(certificate_pem(certificate)) for certificate in chain]
    except UnicodeError as error:  # not a host name
        raise NotOurServer(f"{host!r} is neither a host name nor an address; {check}") from error
    except OSError as error:  # SSLError is one
        raise ServerUnreachable(
            f"no TLS handshake with {host}:{port}: {describe(error)}; check that the server runs "
            "and that this is its bootstrap port"
        ) from error
    except UNREADABLE as error:
        raise NotOurServer(
            f"{host}:{port} shows a certificate that cannot be read; {check}"
        ) from error
    if pin not in hashes and (problem := mistaken(port, answer.kind, PortKind.BOOTSTRAP)):
        raise NotOurServer(f"{host_port(host, port)}: {problem}; nothing was sent")
    if pin is None:
        return chain[-1]
    if pin not in hashes:
        raise NotOurServer(
            f"{host}:{port} has no certificate from the CA {pin}; it shows {hashes[-1]}: check the "
            f"address and the hash ({printed_by} prints both); nothing was sent"
        )
    return chain[hashes.index(pin)]


async def _check_port(invitation: Invitation) -> None:
    """Raise NotOurServer if another of the server's ports answers there."""
    host, port = invitation.host, invitation.port
    if problem := await other_port(host, port, PortKind.BOOTSTRAP, invitation.proxy):
        raise NotOurServer(f"{host_port(host, port)}: {problem}; the token was not sent")


async def _check_trust(invitation: Invitation, ca_pem: bytes) -> None:
    """Find out why TLS refuses a server with a certificate from this CA; gRPC hides the reason.

    Raises:
        NotOurServer: the certificate is for other names.
        ServerUnreachable: another reason, which may pass, such as a wrong clock.
    """
    host, port = invitation.host, invitation.port
    try:
        connected = await dial(host, port, HANDSHAKE_TIMEOUT_S, invitation.proxy)
        await asyncio.to_thread(_verify, connected, host, ca_pem)
    except ssl.SSLCertVerificationError as error:
        if error.verify_code in NOT_ITS_NAME:
            raise NotOurServer(
                f"the certificate at {host}:{port} is not for {host}; join at the address that "
                "ncadm tokens issue prints, or let the server know that it is called so "
                "(network-controller serve --advertise); the token was not sent"
            ) from None
        text = (
            f"the certificate at {host}:{port} is not trusted: {error.verify_message}; "
            "is this machine's clock right?"
        )
        if error.verify_code in NOT_ITS_TIME:
            now = now_utc(SystemClock())
            text = f"{text} {await explain_dates(host, port, now, invitation.proxy)}"
        raise ServerUnreachable(text) from None
    except OSError:
        return  # not for a reason of TLS


def _verify(connected: socket.socket, host: str, ca_pem: bytes) -> None:
    """Do a TLS handshake that trusts one CA, and close the connection."""
    connected.settimeout(HANDSHAKE_TIMEOUT_S)
    with connected, ClientTls(ca_pem).context().wrap_socket(connected, server_hostname=host):
        pass
