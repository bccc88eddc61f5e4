"""Admission: a link needs a live node token, and the certificate of the same node.

An upstream server's certificates name no node. One of them, signed by the imported CA, is accepted
with the token of any node that was imported and has not renewed its certificates since.

Pure: what a request carried comes in, the node's id or a refusal comes out.
"""

from http import HTTPStatus
from typing import NamedTuple

from nc.domain.errors import (
    NODE_OF_A_LATER_LOG,
    DomainError,
    NodeExpired,
    NodeTokenEmpty,
    NodeUnknown,
)
from nc.domain.events import Certificate
from nc.domain.events import pb as events_pb
from nc.domain.nodes import Node, require_live, require_node
from nc.domain.state import State
from nc.hub.refusals import LinkRefused, Refusal
from nc.pki.certificates import NODE_ORGANIZATION, UPSTREAM_NETWORK_COMMON_NAME
from nc.pki.errors import CertificateUnreadable
from nc.pki.identity import PeerCertificate, read_peer
from nc.secrets import TokenIds
from nc.text import moment


class NodeWaits(LinkRefused):
    """The log does not know the node, which shows a certificate of our CA (`nc.replica.waiting`).

    The status is one after which any agent tries again.

    Attributes:
        node_id, certificate: the node, and what it showed.
        key_sha256: of the key that it has shown it has.
    """

    def __init__(self, node_id: str, certificate: Certificate, key_sha256: str) -> None:
        reason, status = Refusal.NODE_OF_A_LATER_LOG, HTTPStatus.SERVICE_UNAVAILABLE
        super().__init__(reason, status, NODE_OF_A_LATER_LOG)
        self.node_id = node_id
        self.certificate = certificate
        self.key_sha256 = key_sha256


class Admitted(NamedTuple):
    """Who may have a link.

    Attributes:
        ends_at_ms: when the certificate does, Unix time; None without one. The link ends with it.
    """

    node_id: str
    ends_at_ms: int | None


def admit(
    token: str, certificate_pem: bytes | None, token_ids: TokenIds, state: State, now_ms: int
) -> Admitted:
    """The node that asks for a link.

    The certificate's dates are checked here as well, since TLS looks at none when it resumes a
    session (TLS 1.2).

    Args:
        token: from the request's header, "" without one.
        certificate_pem: what the TLS handshake has verified; None on a port without TLS, where the
            token alone identifies the node.
        token_ids: turns a token into its id.
        state: has the nodes.
        now_ms: Unix time in milliseconds.

    Raises:
        NodeWaits: the log does not know the node, which shows its own certificate.
        LinkRefused: with the status and the reason.
    """
    node_id = token_ids.id_of(token)
    node = state.nodes.get(node_id)
    peer = None
    if certificate_pem is not None:
        peer = _node_certificate(certificate_pem, node_id, node, now_ms)
    try:
        if not token:
            raise NodeTokenEmpty
        require_node(state.nodes, state.unregistered, node_id)
        if certificate_pem is not None and peer is None:
            raise LinkRefused(
                Refusal.FOREIGN_CERTIFICATE,
                HTTPStatus.FORBIDDEN,
                "the node token is not that of this certificate's node; connect with the network "
                "certificate that GetToken answered together with the token",
            )
        require_live(state.nodes, state.unregistered, node_id, now_ms)
    except NodeUnknown as error:
        if peer is not None and not error.was_unregistered:
            raise NodeWaits(node_id, _recorded(peer), peer.key_sha256) from None
        raise _no_token(error) from None
    except NodeExpired as error:
        raise LinkRefused(Refusal.TOKEN_EXPIRED, HTTPStatus.FORBIDDEN, str(error)) from None
    except DomainError as error:
        raise _no_token(error) from None
    return Admitted(node_id, None if peer is None else peer.not_after_ms)


def _no_token(error: DomainError) -> LinkRefused:
    return LinkRefused(Refusal.BAD_TOKEN, HTTPStatus.UNAUTHORIZED, str(error))


def _node_certificate(
    certificate_pem: bytes, node_id: str, node: Node | None, now_ms: int
) -> PeerCertificate | None:
    """The node's certificate; None if it is another's.

    Raises:
        LinkRefused: it has ended, or is not valid yet.
    """
    try:
        peer = read_peer(certificate_pem)
    except CertificateUnreadable:  # OpenSSL reads certificates that the library does not
        return None
    if now_ms < peer.not_before_ms or now_ms >= peer.not_after_ms:
        problem = _problem(peer, now_ms, may_renew=node is not None and node.is_renewable)
        raise LinkRefused(
            Refusal.CERTIFICATE_ENDED, HTTPStatus.FORBIDDEN, f"this node's certificate {problem}"
        )
    is_imported = node is not None and node.profile.imported
    if is_imported and peer.common_name == UPSTREAM_NETWORK_COMMON_NAME:
        return peer
    if peer.common_name != node_id or NODE_ORGANIZATION not in peer.organizations:
        return None
    return peer


def _problem(peer: PeerCertificate, now_ms: int, *, may_renew: bool) -> str:
    """What is wrong with the dates of a certificate, and what to do."""
    if now_ms < peer.not_before_ms:
        return f"is not valid before {moment(peer.not_before_ms)}; are both clocks right?"
    way = (
        "renew it at the bootstrap port, as network-controller join does by itself"
        if may_renew
        else "join again with a new bootstrap token"
    )
    return f"ended at {moment(peer.not_after_ms)}; {way}"


def _recorded(peer: PeerCertificate) -> Certificate:
    return Certificate(
        authority=events_pb.CERTIFICATE_AUTHORITY_NETWORK,
        serial=f"{peer.serial:x}",
        not_after_ms=peer.not_after_ms,
    )
