"""Admission: a link needs a live node token, and the certificate of the same node.

Pure: what a request carried comes in, the node's id or a refusal comes out.
"""

from http import HTTPStatus

from nc.domain.errors import DomainError, NodeExpired, NodeTokenEmpty
from nc.domain.nodes import Nodes, require_live, require_node
from nc.pki.certificates import NODE_ORGANIZATION
from nc.pki.errors import CertificateUnreadable
from nc.pki.identity import read_peer
from nc.secrets import TokenIds


class LinkRefused(Exception):
    """The request for a link is refused; the text is the answer's one sentence.

    Attributes:
        status: 401, no live node has this token; 403, the certificate is another node's, or the
            token has expired; 404, 500 and 503 as in HTTP.
    """

    def __init__(self, status: HTTPStatus, sentence: str) -> None:
        self.status = status
        super().__init__(sentence)


def admit(
    token: str, certificate_pem: bytes | None, token_ids: TokenIds, nodes: Nodes, now_ms: int
) -> str:
    """The id of the node that asks for a link.

    Args:
        token: from the request's header, "" without one.
        certificate_pem: what the TLS handshake has verified; None on a port without TLS, where the
            token alone identifies the node.
        token_ids: turns a token into its id.
        nodes: the registered nodes.
        now_ms: Unix time in milliseconds.

    Raises:
        LinkRefused: with the status and the reason.
    """
    node_id = token_ids.id_of(token)
    try:
        if not token:
            raise NodeTokenEmpty
        require_node(nodes, node_id)
        if certificate_pem is not None:
            _require_own(certificate_pem, node_id)
        require_live(nodes, node_id, now_ms)
    except NodeExpired as error:
        raise LinkRefused(HTTPStatus.FORBIDDEN, str(error)) from None
    except DomainError as error:
        raise LinkRefused(HTTPStatus.UNAUTHORIZED, str(error)) from None
    return node_id


def _require_own(certificate_pem: bytes, node_id: str) -> None:
    try:
        peer = read_peer(certificate_pem)
    except CertificateUnreadable:  # OpenSSL reads certificates that the library does not
        peer = None
    if peer is None or peer.common_name != node_id or NODE_ORGANIZATION not in peer.organizations:
        raise LinkRefused(
            HTTPStatus.FORBIDDEN,
            "the node token is not that of this certificate's node; "
            "connect with the network certificate that GetToken answered together with the token",
        )
