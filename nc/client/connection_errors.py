"""Why there is no connection, in words that help: what the system and the libraries call it."""

import os
import ssl
from typing import Final

_NO_TLS: Final = "it does not speak TLS (does it run with --plaintext?)"
_CUT: Final = "it closed the connection (does it want TLS, so no --plaintext here?)"
_CUT_IN_TLS: Final = "it closed the connection (does it accept this certificate?)"

# What is in gRPC's details, and what it means.
_MEANINGS: Final = (
    ("WRONG_VERSION_NUMBER", _NO_TLS),
    ("CERTIFICATE_VERIFY_FAILED", "its certificate is not from the CA that is trusted here"),
    ("Hostname Verification Check failed", "its certificate is for other names than this one"),
    ("Connection refused", "Connection refused"),
    ("Domain name not found", "no such name is known"),
)


def in_words(error: Exception) -> str:
    """What an attempt of our own to connect has met."""
    if isinstance(error, ssl.SSLError):
        if error.reason == "WRONG_VERSION_NUMBER":
            return _NO_TLS
        return f"TLS failed: {(error.reason or str(error)).lower().replace('_', ' ')}"
    number = error.errno if isinstance(error, OSError) else None
    if number and number > 0:
        return os.strerror(number)
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def grpc_in_words(details: str, *, tls: bool) -> str:
    """What gRPC has met, from the details of its status; what says no more stays as it is."""
    for sign, meaning in _MEANINGS:
        if sign in details:
            return meaning
    if "Socket closed" in details:
        return _CUT_IN_TLS if tls else _CUT
    return details
