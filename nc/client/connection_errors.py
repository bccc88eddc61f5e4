"""Sentences for why a connection failed, from the errors of the system and the libraries."""

import os
import ssl
from typing import Final

_NO_TLS: Final = "it does not speak TLS (does it run with --plaintext?)"
_CUT: Final = "it closed the connection (does it want TLS, so no --plaintext here?)"
_CUT_IN_TLS: Final = "it closed the connection (does it accept this certificate?)"

# By a part of gRPC's details.
_GRPC_SENTENCES: Final = (
    ("WRONG_VERSION_NUMBER", _NO_TLS),
    ("CERTIFICATE_VERIFY_FAILED", "its certificate is not from the CA that is trusted here"),
    ("Hostname Verification Check failed", "its certificate is for other names than this one"),
    ("Connection refused", "Connection refused"),
    ("Domain name not found", "no such name is known"),
    ("http1.x server", "it speaks HTTP/1.1, as the link port (6441 by default) does, and no gRPC"),
)


def describe(error: Exception) -> str:
    """Why connecting a socket, or TLS on it, failed."""
    if isinstance(error, ssl.SSLError):
        # OpenSSL's errors have a reason, those that a library makes may not
        reason = getattr(error, "reason", None) or error.strerror or " ".join(map(str, error.args))
        if reason == "WRONG_VERSION_NUMBER":
            return _NO_TLS
        return f"TLS failed: {reason.lower().replace('_', ' ')}"
    number = error.errno if isinstance(error, OSError) else None
    if number and number > 0:
        return os.strerror(number)
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def describe_grpc(details: str, *, tls: bool) -> str:
    """Why gRPC could not connect, from the details of its status; unknown details stay."""
    for part, sentence in _GRPC_SENTENCES:
        if part in details:
            return sentence
    if "Socket closed" in details:
        return _CUT_IN_TLS if tls else _CUT
    return details
