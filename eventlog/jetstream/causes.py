"""Why servers of NATS do not do what they are asked: the client's errors as causes and remedies."""

import os
import re
import ssl
from collections.abc import Iterable
from enum import IntEnum
from pathlib import Path
from typing import Final

import nats.errors
import nats.js.errors

from eventlog.errors import LogUnavailable, LogUnreachable
from eventlog.jetstream.address import StreamAddress

_NO_JETSTREAM: Final = (
    "this server of NATS has no JetStream: add jetstream { … } to its settings; if it is there, "
    "the log of NATS says why it is off, such as for a full disk"
)
_ACCOUNT_WITHOUT: Final = (
    "this account of NATS has no JetStream: add jetstream: enabled to its settings (in a JWT: "
    "limits of its storage and streams)"
)
_NOT_ENABLED_IN_ACCOUNT: Final = (10039, 10035)
_NOT_ENABLED: Final = 10076
_NO_CLUSTER: Final = 10074
_NO_PEERS: Final = 10005

# X.509: the end of a certificate has passed, and names that do not match.
_HAS_EXPIRED: Final = 10
_OTHER_NAME: Final = (62, 64)


class NotNats(nats.errors.Error):
    """What listens there is no server of NATS."""


class Stage(IntEnum):
    """How far a connection came."""

    CONNECTING = 0
    CONNECTED = 1
    GREETED = 2  # by a server of NATS
    OVER_TLS = 3


def not_let_in(address: StreamAddress, stage: Stage, error: Exception) -> LogUnavailable:
    """The error to raise for what ended a connection at this stage.

    Returns:
        A LogUnreachable where no server of NATS has said a word.
    """
    if stage < Stage.GREETED:
        why = f"no server of NATS answers: {_unreached(stage, error)}"
        return LogUnreachable(str(address), why)
    if isinstance(error, nats.errors.SecureConnWantedError):
        return LogUnavailable(
            str(address),
            "the server of NATS does not ask for TLS, and this address is only used with it: give "
            "the server certificates (tls { … }, without allow_non_tls), or write nats:// without "
            "ca and cert",
        )
    why = f"no server of NATS lets this program in: {_refusal(address, stage, error)}"
    return LogUnavailable(str(address), why)


def unusable(files: Iterable[Path | None], error: OSError) -> str:
    """Why files in PEM, which of them may be left out, cannot be used for TLS."""
    if not isinstance(error, ssl.SSLError):
        return f"{error.filename} cannot be read: {error.strerror}"
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"{' and '.join(map(str, files))} are no certificate with its key: name a pair"
    named = " or ".join(dict.fromkeys(str(file) for file in files if file is not None))
    return f"{named} cannot be used: {error.reason or error}; expected PEM"


def _unreached(stage: Stage, error: Exception) -> str:
    if stage is Stage.CONNECTED and isinstance(error, TimeoutError):
        return "something listens there, and says nothing"
    if isinstance(error, nats.errors.UnexpectedEOF):
        return "the connection is ended without a word (TLS with handshake_first is not spoken)"
    if isinstance(error, TimeoutError):
        return "nothing there answers"
    if code := re.search(r"\[Errno (\d+)\]", str(error)):  # asyncio has words of its own
        return os.strerror(int(code[1]))
    return re.sub(r"^\[Errno -?\d+\] ", "", str(error)) or type(error).__name__


def _refusal(address: StreamAddress, stage: Stage, error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _distrust(address, error)
    if isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or ""):
        return f"{(error.reason or '').lower().replace('_', ' ')}: {_certificate_wanted(address)}"
    is_ended = isinstance(error, ConnectionError | nats.errors.UnexpectedEOF)
    if (stage is Stage.OVER_TLS or address.is_tls) and (is_ended or not str(error)):
        return f"the connection was ended when TLS had begun: {_certificate_wanted(address)}"
    if "authorization violation" in str(error).lower():
        return _unknown_user(address)
    return str(error) or "it stopped answering while it was asked"


def _unknown_user(address: StreamAddress) -> str:
    if address.credentials is not None:
        return f"it knows no user of the credentials in {address.credentials}"
    if address.certificate is not None:
        return f"it knows no user of {address.certificate}; it may want creds=FILE, too"
    return (
        "it wants to know who this is: add creds=FILE to the address, or cert=FILE&key=FILE if it "
        "knows users by their certificates"
    )


def _certificate_wanted(address: StreamAddress) -> str:
    if address.certificate is None:
        return "if the server wants a client's certificate, add cert=FILE&key=FILE to the address"
    return f"the server may not know the CA of {address.certificate}, or that has expired"


def _distrust(address: StreamAddress, error: ssl.SSLCertVerificationError) -> str:
    """Why the server's certificate is not trusted."""
    why = f"its certificate is not trusted ({error.verify_message.rstrip('.')})"
    if error.verify_code == _HAS_EXPIRED:
        return f"{why}: renew it"
    if error.verify_code in _OTHER_NAME:
        return f"{why}: name the server in the address as its certificate does"
    if address.ca is None:
        return f"{why}: name the CA that signed it, with ca=FILE in the address"
    return f"{why}: {address.ca} is not the CA that signed it"


def unanswered(
    address: StreamAddress, what: str, error: Exception, *, has_jetstream: bool, denied: str
) -> LogUnavailable:
    """The error to raise where a request failed.

    Args:
        address: of the stream.
        what: what was asked for.
        error: one of the client's.
        has_jetstream: whether the server that was asked has JetStream.
        denied: what the server has said that this user may not do; "": nothing.

    Returns:
        A LogUnreachable, unless a server has refused.
    """
    name = str(address)
    if denied and isinstance(error, TimeoutError):
        return LogUnavailable(name, f"{what}: {not_permitted(address.stream, denied)}")
    if not isinstance(error, nats.js.errors.APIError):
        why = "no answer" if isinstance(error, TimeoutError) else str(error) or repr(error)
        return LogUnreachable(name, f"{what}: {why}")
    if error.err_code in _NOT_ENABLED_IN_ACCOUNT:
        return LogUnavailable(name, f"{what}: {_ACCOUNT_WITHOUT}")
    is_off = error.err_code is None and not has_jetstream  # then nobody answers at all
    if error.err_code == _NOT_ENABLED or is_off:
        return LogUnavailable(name, f"{what}: {_NO_JETSTREAM}")
    why = error.description or "no JetStream answers"
    if isinstance(error, nats.js.errors.ServiceUnavailableError):  # no majority
        return LogUnreachable(name, f"{what}: {why}")
    if error.err_code in (_NO_CLUSTER, _NO_PEERS):
        why += (
            "; as many servers of NATS as are to keep it must be one cluster: ask for fewer "
            "replicas, 1 of a server alone, or start more"
        )
    return LogUnavailable(name, f"{what}: {why}")


def not_permitted(stream: str, denied: str) -> str:
    """What to say of an action that a server has denied, in its words."""
    return (
        f"this user of NATS may not do this: {denied}; its permissions have to be: publish to "
        f"{stream}.log, $JS.API.STREAM.*.{stream}, $JS.API.DIRECT.GET.{stream}; subscribe to "
        f"{stream}.tail, _INBOX.>"
    )
