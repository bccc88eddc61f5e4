"""Why a link ended, or was not made: few kinds, which decide what the agent does next."""

import contextlib
import ssl
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

from picows import WSFrame, WSHandshakeError

from nc.client.certificate_dates import NOT_ITS_TIME
from nc.client.connection_errors import describe
from nc.net import wire
from nc.net.wire import CloseCode
from nc.pki.names import NOT_ITS_NAME
from nc.text import printable

_MAX_REASON: Final = 300  # characters of an HTTP answer's body

# Closed like this, a link needs that somebody mends something.
_FOR_LATER: Final = (wire.EXPIRED, wire.SUPERSEDED, wire.CERTIFICATE_ENDED)

# So many servers that say that a node was unregistered are believed.
WITNESSES: Final = 2

_REJECTED: Final = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


class LinkEnded(Exception):
    """There is no link (any more), for the reason in the text. Trying again may succeed.

    Attributes:
        server_time: by the server's clock, if it was given.
        is_cut_short: TLS did not come about, as when the server refuses the certificate.
    """

    server_time: datetime | None = None
    is_cut_short = False


class RetryLater(LinkEnded):
    """Somebody has to mend something before trying again can succeed: a clock, the server, a file.

    The server may be the wrong one, or lack its data: this refusal is never the end.
    """


class UntrustedServer(RetryLater):
    """The server has no certificate from our network's CA for this name and time.

    Attributes:
        is_for_dates: the certificate is not valid at this time by this machine's clock.
    """

    is_for_dates = False


class NetworkRefused(RetryLater):
    """This machine must not, or cannot now, have the overlay that the server handed over."""


class NodeUnregistered(LinkEnded):
    """The server says that this node was unregistered.

    Attributes:
        is_certain: no other server knows better: this one decides what the log has.
    """

    is_certain = False


class Unconfirmed(LinkEnded):
    """One of several servers says that this node was unregistered: another is asked."""


def closed_by(frame: WSFrame, *, has_newer: bool) -> LinkEnded:
    """The reason in the server's close frame.

    Where the agent has not tried a newer link itself, one that took over is that of another
    machine, which somebody has to see to.
    """
    code, text = int(frame.get_close_code().value), frame.get_close_message() or b""
    reason = printable(text.decode("utf-8", "replace"))
    sentence = f"the server closed the link: {reason or 'no reason given'} (code {code})"
    if code != CloseCode.POLICY:
        return LinkEnded(sentence)
    if reason == wire.UNREGISTERED.reason:
        return NodeUnregistered(sentence)
    if has_newer and reason == wire.SUPERSEDED.reason:
        return LinkEnded(sentence)
    is_later = reason in {close.reason for close in _FOR_LATER}
    return RetryLater(sentence) if is_later else LinkEnded(sentence)


def connecting_failed(error: Exception, host: str, *, is_tls: bool) -> LinkEnded:
    """The reason for which a link was not made."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _untrusted(error, host)
    if isinstance(error, ConnectionResetError):  # mostly: one side speaks TLS, the other does not
        wanted = "speak" if is_tls else "want"
        ended = LinkEnded(f"the handshake was cut short (does the server {wanted} TLS?)")
        ended.is_cut_short = is_tls
        return ended
    if isinstance(error, TimeoutError):
        return LinkEnded("the server did not answer in time")
    if isinstance(error, WSHandshakeError) and error.response is not None:
        return _refused(error)
    ended = LinkEnded(f"no connection: {describe(error)}")
    ended.is_cut_short = isinstance(error, ssl.SSLError)
    return ended


def _untrusted(error: ssl.SSLCertVerificationError, host: str) -> UntrustedServer:
    """The reason for which a server's certificate is not accepted."""
    if error.verify_code in NOT_ITS_NAME:
        return UntrustedServer(
            f"the server's certificate is not for {host} ({error.verify_message}); the "
            "server must know what it is called (network-controller serve --advertise)"
        )
    why = f"the server's certificate is not trusted: {error.verify_message}"
    if error.verify_code in NOT_ITS_TIME:
        untrusted = UntrustedServer(why)
        untrusted.is_for_dates = True
        return untrusted
    return UntrustedServer(
        f"{why}; either its CA was replaced, and this machine must join again, or this is not our "
        "server"
    )


def _refused(error: Any) -> LinkEnded:
    """An HTTP answer that is no upgrade: its status, and the first line of its body."""
    status = int(error.response.status)
    lines = (error.raw_body or b"").decode("utf-8", "replace").splitlines()
    reason = printable(lines[0][:_MAX_REASON]) if lines else "no reason given"
    sentence = f"the server refuses this node: {reason} (HTTP {status})"
    ended: LinkEnded
    if status == HTTPStatus.UNAUTHORIZED and reason.startswith(wire.UNREGISTERED.reason):
        ended = NodeUnregistered(sentence)
        ended.is_certain = error.response.headers.get(wire.LEADER_HEADER) == wire.IS_LEADER
    else:
        ended = (RetryLater if status in _REJECTED else LinkEnded)(sentence)
    with contextlib.suppress(ValueError, TypeError):  # a missing or malformed header
        ended.server_time = parsedate_to_datetime(error.response.headers.get("Date"))
    return ended
