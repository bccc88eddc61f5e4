"""One event as a line: plain text, or coloured for a terminal.

Lines are coloured by hand: rich takes 80 µs a line to lay it out, which is 4 s for 50,000 events.
"""

import os
import sys
from collections.abc import Callable
from typing import Final

from nc.domain.codec.records import Recorded
from nc.history.fields import KIND_NAMES, field_texts, kind_of
from nc.text import printable, time_text

# By kind, in rich's words.
KIND_STYLES: Final = {
    "ReplicaStarted": "blue",
    "ReplicaStopped": "blue",
    "LeaderElected": "blue",
    "ReplicaLost": "red",
    "ReplicaAddressBound": "blue",
    "TokenIssued": "cyan",
    "TokenRevoked": "red",
    "TokenExpired": "cyan",
    "NodeRegistered": "green",
    "NodeUpdated": "green",
    "NodeFactsReported": "dim",
    "CertificatesRenewed": "cyan",
    "StateChanged": "yellow",
    "AddressBound": "magenta",
    "AddressReleased": "magenta",
    "ExpiryChanged": "yellow",
    "Unregistered": "red",
    "NodeForgotten": "red",
    "AdministratorAdded": "green",
    "AdministratorRevoked": "red",
    "LitekubeImported": "blue",
    "ReplicaInvited": "cyan",
    "InvitationRedeemed": "green",
    "InvitationEnded": "cyan",
    "ReplicaRemoved": "red",
    "DigestRecorded": "dim",
    "LogRepaired": "bold red",
}

_KIND_WIDTH: Final = max(map(len, KIND_NAMES.values()))

# Select Graphic Rendition (ECMA-48): a style's parameters.
_SGR: Final = {
    "": "",
    "dim": "2",
    "red": "31",
    "bold red": "1;31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}


def line_parts(recorded: Recorded, node_name: str = "") -> list[tuple[str, str]]:
    """Number, time (UTC), kind and fields, who did it through what: each with its style.

    Args:
        recorded: the event.
        node_name: of the node that it is about, which most events tell the id of only.
    """
    entry = recorded.entry
    kind = kind_of(recorded.event)
    fields = field_texts(recorded.event)
    if node_name and not fields.get("node_id", "").startswith(node_name):
        fields = {"node": node_name, **fields}
    details = " ".join([f"{name}={text}" for name, text in fields.items()])
    by = f"  by {entry.actor} ({entry.method}, request {entry.request_id})"
    return [
        (f"{recorded.seq:>7}  ", "dim"),
        (f"{time_text(entry.recorded_at_ns)}  ", ""),
        (f"{kind:<{_KIND_WIDTH}} ", KIND_STYLES.get(kind, "")),
        (printable(details), ""),
        (printable(by), "dim"),
    ]


def text_format() -> Callable[[Recorded, str], str]:
    """How events are printed as text: in colour if the standard output is a terminal that has any.

    What it gives takes an event and its node's name.

    The variables are those of https://no-color.org and https://force-color.org.
    """
    has_none = os.environ.get("NO_COLOR") or os.environ.get("TERM") in ("dumb", "unknown")
    is_coloured = os.environ.get("FORCE_COLOR") or sys.stdout.isatty()
    return _coloured_line if is_coloured and not has_none else _plain_line


def _plain_line(recorded: Recorded, node_name: str) -> str:
    return "".join([text for text, _ in line_parts(recorded, node_name)])


def _coloured_line(recorded: Recorded, node_name: str) -> str:
    return "".join(
        [
            f"\x1b[{_SGR[style]}m{text}\x1b[0m" if style else text
            for text, style in line_parts(recorded, node_name)
        ]
    )
