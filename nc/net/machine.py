"""What a node's machine says of itself in its request for a link: one header for each fact.

A header holds ASCII alone, so that other characters are percent-encoded as UTF-8. Servers and
clients that know nothing of these headers ignore them, or do without.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

_PREFIX: Final = "nc-machine-"
_PLAIN: Final = " ()/:+,;=@!"  # as they are; quote leaves letters, digits and _.-~ as well
_LONGEST: Final = 253  # characters; more than any name of a host or system has


class MachineFacts(NamedTuple):
    """Each may be "", if it is not known."""

    hostname: str = ""
    os: str = ""
    architecture: str = ""
    agent_version: str = ""


NO_FACTS: Final = MachineFacts()


def machine_headers(facts: MachineFacts) -> dict[str, str]:
    return {
        _header(name): quote(text[:_LONGEST].strip(), safe=_PLAIN)
        for name, text in facts._asdict().items()
        if text.strip()
    }


def read_machine(headers: Mapping[str, str]) -> MachineFacts:
    """What such headers say, at most as long as a sender's; a stranger may have written them."""
    found = (headers.get(_header(name), "") for name in MachineFacts._fields)
    return MachineFacts(*(unquote(text)[:_LONGEST] for text in found))


def _header(name: str) -> str:
    return _PREFIX + name.replace("_", "-")
