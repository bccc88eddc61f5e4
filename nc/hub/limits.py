"""The limits on links: time, number, size. Only tests choose others."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    # Connections that do TLS or ask for a link: each costs some 60 kB, and all of them are done
    # within a second if nobody dawdles.
    max_newcomers: int = 512

    # Connections that wait for one of those places: a cluster that comes back at once. Each costs a
    # file descriptor and 1 kB; a quarter of the descriptors is never exceeded.
    max_waiting: int = 8192

    # From TCP's handshake to the first byte. Clients that dial several addresses leave some silent.
    first_byte_timeout_s: float = 3.0

    # From the first byte to the WebSocket upgrade.
    upgrade_timeout_s: float = 10.0

    # How long a newcomer keeps its place while others wait for one and nothing comes from it: some
    # round trips around the world.
    patience_s: float = 2.0

    # Links at once, those included that are being closed: as many as a /16 has nodes.
    max_links: int = 32_768

    # Links that have no address yet. Each has one command queued at the most, so that half of the
    # replica's queue is left for calls.
    max_handshakes: int = 2048

    # Links that one node may open in a row, and then one in this time: each writes some 600 bytes
    # to the event log. What flaps by accident is let in again and again; a loop is slowed down.
    links_at_once: int = 60
    link_interval_s: float = 1.0

    # The same for its log lines, which say how many were left out.
    lines_at_once: int = 20
    line_interval_s: float = 5.0

    hello_timeout_s: float = 10.0  # LiteKube link reference
    silence_timeout_s: float = 60.0  # LiteKube link reference

    # How long the other end may take to answer a close frame, and to read what was sent before it.
    close_timeout_s: float = 2.0
