"""Admission: a link needs a live node token, and the certificate of the same node.

Pure: what a request carried comes in, the node's id or a refusal comes out.
"""

from http import HTTPStatus

from nc.domain.errors import (
    NODE_OF_A_LATER_LOG,
    DomainError,
    NodeExpired,
    NodeTokenEmpty,
    NodeUnknown,
)
from nc.domain.events import Certificate
from nc.domain.events import pb as events_pb
from nc.domain.nodes import require_live, require_node
from nc.domain.state import State
from nc.pki.certificates import NODE_ORGANIZATION
from nc.pki.errors import CertificateUnreadable
from nc.pki.identity import read_peer
from nc.secrets import TokenIds


class LinkRefused(Exception):
    """The request for a link is refused; the text is the answer's one sentence.

    Attributes:
        status: 401, no live node has this token; 403, the certificate is another node's, or the
            token has expired; 404, 500 and 503 as in HTTP.
        now_s: Unix time by this server's clock, which the answer tells; None: not known.
    """

    now_s: float | None = None

    def __init__(self, status: HTTPStatus, sentence: str) -> None:
        self.status = status
        super().__init__(sentence)


class NodeWaits(LinkRefused):
    """The log does not know the node, which shows a certificate of our CA (`nc.replica.waiting`).

    The status is one after which any agent tries again.

    Attributes:
        node_id, certificate: the node, and what it showed.
    """

    def __init__(self, node_id: str, certificate: Certificate) -> None:
        super().__init__(HTTPStatus.SERVICE_UNAVAILABLE, NODE_OF_A_LATER_LOG)
        self.node_id = node_id
        self.certificate = certificate


def admit(
    token: str, certificate_pem: bytes | None, token_ids: TokenIds, state: State, now_ms: int
) -> str:
    """The id of the node that asks for a link.

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
    try:
        if not token:
            raise NodeTokenEmpty
        require_node(state.nodes, state.unregistered, node_id)
        if certificate_pem is not None and _certificate_of(certificate_pem, node_id) is None:
            raise LinkRefused(
                HTTPStatus.FORBIDDEN,
                "the node token is not that of this certificate's node; connect with the network "
                "certificate that GetToken answered together with the token",
            )
        require_live(state.nodes, state.unregistered, node_id, now_ms)
    except NodeUnknown as error:
        own = None
        if certificate_pem is not None and not error.was_unregistered:
            own = _certificate_of(certificate_pem, node_id)
        if own is not None:
            raise NodeWaits(node_id, own) from None
        raise LinkRefused(HTTPStatus.UNAUTHORIZED, str(error)) from None
    except NodeExpired as error:
        raise LinkRefused(HTTPStatus.FORBIDDEN, str(error)) from None
    except DomainError as error:
        raise LinkRefused(HTTPStatus.UNAUTHORIZED, str(error)) from None
    return node_id


def _certificate_of(certificate_pem: bytes, node_id: str) -> Certificate | None:
    """The node's certificate; None if it is another's."""
    try:
        peer = read_peer(certificate_pem)
    except CertificateUnreadable:  # OpenSSL reads certificates that the library does not
        return None
    if peer.common_name != node_id or NODE_ORGANIZATION not in peer.organizations:
        return None
    return Certificate(
        authority=events_pb.CERTIFICATE_AUTHORITY_NETWORK,
        serial=f"{peer.serial:x}",
        not_after_ms=peer.not_after_ms,
    )
