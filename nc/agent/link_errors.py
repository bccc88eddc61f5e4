"""Why a link ended, or was not made: few kinds, which decide what the agent does next."""

import json
import ssl
from http import HTTPStatus
from typing import Any, Final

from picows import WSFrame, WSHandshakeError

from nc.client.connection_errors import describe
from nc.net import wire
from nc.net.wire import CloseCode
from nc.pki.names import NOT_ITS_NAME

_REJECTED: Final = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


class LinkEnded(Exception):
    """There is no link (any more), for the reason in the text. Trying again may succeed."""


class RetryLater(LinkEnded):
    """The node token has expired, or another machine took the link over."""


class UntrustedServer(LinkEnded):
    """The server has no certificate from our network's CA for this name."""


class NodeRejected(LinkEnded):
    """The server does not know this node any more; trying again cannot succeed."""


def closed_by(frame: WSFrame) -> LinkEnded:
    """The reason in the server's close frame."""
    code, text = int(frame.get_close_code().value), frame.get_close_message() or b""
    reason = text.decode("utf-8", "replace")
    sentence = f"the server closed the link: {reason or 'no reason given'} (code {code})"
    if code != CloseCode.POLICY:
        return LinkEnded(sentence)
    if reason == wire.UNREGISTERED.reason:
        return NodeRejected(sentence)
    is_later = reason in {wire.EXPIRED.reason, wire.SUPERSEDED.reason}
    return RetryLater(sentence) if is_later else LinkEnded(sentence)


def connecting_failed(error: Exception, host: str, *, is_tls: bool) -> LinkEnded:
    """The reason for which a link was not made."""
    if isinstance(error, ssl.SSLCertVerificationError) and error.verify_code in NOT_ITS_NAME:
        return UntrustedServer(
            f"the server's certificate is not for {host} ({error.verify_message}); the "
            "server must know what it is called (network-controller serve --advertise)"
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return UntrustedServer(
            f"the server's certificate is not trusted: {error.verify_message}; either its CA was "
            "replaced, and this machine must join again, or this is not our server"
        )
    if isinstance(error, ConnectionResetError):  # mostly: one side speaks TLS, the other does not
        wanted = "speak" if is_tls else "want"
        return LinkEnded(f"the handshake was cut short (does the server {wanted} TLS?)")
    if isinstance(error, TimeoutError):
        return LinkEnded("the server did not answer in time")
    if isinstance(error, WSHandshakeError) and error.response is not None:
        return _refused(error)
    return LinkEnded(f"no connection: {describe(error)}")


def _refused(error: Any) -> LinkEnded:
    """An HTTP answer that is no upgrade: its status, and the first line of its body."""
    status = int(error.response.status)
    lines = (error.raw_body or b"").decode("utf-8", "replace").splitlines()
    reason = json.dumps(lines[0])[1:-1][:300] if lines else "no reason given"
    sentence = f"the server refuses this node: {reason} (HTTP {status})"
    if reason.startswith(wire.EXPIRED.reason):
        return RetryLater(sentence)
    return NodeRejected(sentence) if status in _REJECTED else LinkEnded(sentence)
