"""What nodes and administrators may be called, and which name a newcomer gets.

A node's name is a DNS label (RFC 1123, in lower case), which no other registered node has. A name
that could be an id or a token is refused: it would be mistaken for one, and a token does not belong
in the log.
"""

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from rpds import HashTrieMap

from nc.domain.operator_errors import AdministratorNameInvalid, NodeNameInvalid
from nc.domain.transient_map import TransientMap

LONGEST_NAME: Final = 63
LONGEST_PREFIX: Final = 40  # of a token's newcomers: room is left for a name of their own

Names: TypeAlias = "HashTrieMap[str, str]"  # the id of each node that has a name, by its name
TransientNames: TypeAlias = TransientMap[str, str]

_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_PREFIX: Final = re.compile(rf"[a-z0-9][a-z0-9-]{{0,{LONGEST_PREFIX - 1}}}")
_SECRET: Final = re.compile(r"[0-9a-f]{16}|[0-9a-f]{32}")  # as tokens and ids are
_ADMINISTRATOR: Final = re.compile(rf"[A-Za-z0-9._@-]{{1,{LONGEST_NAME}}}")
_OTHER: Final = re.compile(r"[^a-z0-9]+")

# How much of a node's id is shown where it has no name.
SHOWN_ID_DIGITS: Final = 8


def shown_name(name: str, node_id: str) -> str:
    """What a node is called for people: its name, or the first digits of its id."""
    return name or node_id[:SHOWN_ID_DIGITS]


def is_name(text: str) -> bool:
    return bool(_LABEL.fullmatch(text)) and not _SECRET.fullmatch(text)


def require_name(name: str) -> None:
    """Raises NodeNameInvalid: no node may be called this."""
    if not is_name(name):
        raise NodeNameInvalid


def is_prefix(text: str) -> bool:
    """Whether names may begin with this; they may begin with nothing."""
    return not text or bool(_PREFIX.fullmatch(text))


def is_administrator_name(text: str) -> bool:
    return bool(_ADMINISTRATOR.fullmatch(text)) and not _SECRET.fullmatch(text)


def require_administrator_name(name: str) -> None:
    """Raises AdministratorNameInvalid: no administrator may be called this."""
    if not is_administrator_name(name):
        raise AdministratorNameInvalid


def label_of(hostname: str) -> str:
    """The DNS label nearest to a hostname, `Web_1.example` → `web-1`; "" if there is none."""
    label = _OTHER.sub("-", hostname.partition(".")[0].lower())
    return label[:LONGEST_NAME].strip("-")


def newcomer_name(prefix: str, wanted: str, node_id: str, is_taken: Callable[[str], bool]) -> str:
    """The name of a node that registers: the one that it wants, or one near it that is free.

    Args:
        prefix: the name begins with it.
        wanted: a hostname or a name, or "": then it is `node-` and the first digits of the id.
        node_id: the node's.
        is_taken: whether a node has a name; asked O(log nodes) times.
    """
    base = label_of(wanted) or f"node-{node_id[:SHOWN_ID_DIGITS]}".lower()
    if wanted or prefix:
        base = prefix + (label_of(wanted) or node_id[:SHOWN_ID_DIGITS])
    base = label_of(base[:LONGEST_NAME]) or "node"
    if not is_name(base):
        base = f"node-{base}"
    return base if not is_taken(base) else _numbered(base, is_taken)


def _numbered(base: str, is_taken: Callable[[str], bool]) -> str:
    """`base-2` if it is free, or a free one whose number is one more than a taken one's."""
    if not is_taken(_with_number(base, 2)):
        return _with_number(base, 2)
    taken, free = 2, 4
    while is_taken(_with_number(base, free)):
        taken, free = free, 2 * free
    while free - taken > 1:
        middle = (taken + free) // 2
        if is_taken(_with_number(base, middle)):
            taken = middle
        else:
            free = middle
    return _with_number(base, free)


def _with_number(base: str, number: int) -> str:
    suffix = f"-{number}"
    return base[: LONGEST_NAME - len(suffix)].rstrip("-") + suffix
