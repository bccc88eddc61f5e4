"""The limits on links: time, number, size. Only tests choose others."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    # Connections that are not upgraded yet: each costs some 60 kB. More wait in the kernel.
    max_newcomers: int = 1024

    # From TCP's handshake to the WebSocket upgrade.
    upgrade_timeout_s: float = 10.0

    # Links at once, those included that are being closed: as many as a /16 has nodes.
    max_links: int = 32_768

    # Links that have no address yet. Each has one command queued at the most, so that half of the
    # replica's queue is left for calls.
    max_handshakes: int = 2048

    hello_timeout_s: float = 10.0  # LiteKube link reference
    silence_timeout_s: float = 60.0  # LiteKube link reference

    # How long the other end may take to answer a close frame, and to read what was sent before it.
    close_timeout_s: float = 2.0
