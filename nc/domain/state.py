"""What the log amounts to: the state that decisions are made on.

Persistent values throughout: each change makes a new `State` that shares with the old one what did
not change, so a state can be kept, compared or dropped at no cost. `nc.projections` folds events
into it.
"""

from dataclasses import dataclass, field

from rpds import HashTrieMap

from nc.domain.addresses import Addresses
from nc.domain.nodes import Nodes
from nc.domain.presence import Presence
from nc.domain.tokens import Tokens


@dataclass(frozen=True, slots=True)
class State:
    """Every token, node, link and address as of one event."""

    seq: int = 0  # the last event that is folded in
    tokens: Tokens = field(default_factory=HashTrieMap)
    nodes: Nodes = field(default_factory=HashTrieMap)
    presence: Presence = field(default_factory=HashTrieMap)
    addresses: Addresses = field(default_factory=Addresses)
    digest_seq: int = 0  # the event that the last recorded digest is of
    key_check: str = ""  # by which the key of the token ids is known again; "" before a start says
