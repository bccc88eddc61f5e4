"""Why a connection to the link port became no link: counted by reason, for reports and metrics."""

from enum import StrEnum
from http import HTTPStatus


class Refusal(StrEnum):
    # before there is a request
    SILENT = "silent"  # no byte came in time
    DISPLACED = "displaced"  # too many connections were beginning, of its party or at all
    NO_TLS = "no_tls"  # mostly: no certificate of ours; or it left before the end of the handshake
    NO_REQUEST = "no_request"  # it left without a whole request, or none came in time

    # the request (RFC 6455, 4.2.1)
    BAD_REQUEST = "bad_request"
    WRONG_VERSION = "wrong_version"
    WRONG_PATH = "wrong_path"

    # who asks
    BAD_TOKEN = "bad_token"  # none, or no node's  # noqa: S105 - a reason
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - a reason
    FOREIGN_CERTIFICATE = "foreign_certificate"  # not that of the token's node
    CERTIFICATE_ENDED = "certificate_ended"  # or is not valid yet
    NODE_OF_A_LATER_LOG = "node_of_a_later_log"

    # another server
    FOREIGN_REPLICA = "foreign_replica"  # without a replica's certificate
    UNKNOWN_REPLICA = "unknown_replica"  # its session is not one of those in the log (yet)

    # how many ask
    TOO_OFTEN = "too_often"  # this node
    TOO_MANY_LINKS = "too_many_links"
    TOO_MANY_HANDSHAKES = "too_many_handshakes"

    NOT_CURRENT = "not_current"  # this server may have missed something that others know

    BUG = "bug"  # of ours; the log has it


# Connections that ended before they asked for a link.
BEFORE_THE_REQUEST = frozenset(
    {Refusal.SILENT, Refusal.DISPLACED, Refusal.NO_TLS, Refusal.NO_REQUEST}
)


class LinkRefused(Exception):
    """The request for a link is refused; the text is the answer's one sentence.

    Attributes:
        reason: for the counters.
        status: 401, no live node has this token; 403, the certificate is another node's, or it or
            the token has ended; 400, 404, 426, 500 and 503 as in HTTP.
        headers: more of the answer's.
        now_s: Unix time by this server's clock, which the answer tells; None: not known.
    """

    now_s: float | None = None

    def __init__(
        self,
        reason: Refusal,
        status: HTTPStatus,
        sentence: str,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.reason = reason
        self.status = status
        self.headers = headers or {}
        super().__init__(sentence)


def bug_of_ours() -> LinkRefused:
    """The refusal for an exception that goes to the log."""
    text = "something is wrong with the server: its log has the reason; try again"
    return LinkRefused(Refusal.BUG, HTTPStatus.INTERNAL_SERVER_ERROR, text)
