"""The state: the fold of the log, on which decisions are made (`nc.domain.evolve`).

Persistent values throughout: each change makes a new `State` that shares with the old one what did
not change, so a state can be kept, compared or dropped at no cost.
"""

from dataclasses import dataclass, field

from rpds import HashTrieMap

from nc.domain.addresses import Addresses
from nc.domain.administrators import Administrators
from nc.domain.invitations import Membership
from nc.domain.leadership import NO_LEADER, Leader
from nc.domain.links import Links
from nc.domain.names import Names
from nc.domain.nodes import Nodes, UnregisteredNodes
from nc.domain.replicas import NO_AUTHORITIES, AuthorityKeys, Sessions
from nc.domain.tokens import Tokens


@dataclass(frozen=True, slots=True)
class State:
    """Every token, node, link, address and administrator as of one event."""

    seq: int = 0  # the last event that is folded in
    tokens: Tokens = field(default_factory=HashTrieMap)
    nodes: Nodes = field(default_factory=HashTrieMap)
    links: Links = field(default_factory=HashTrieMap)
    addresses: Addresses = field(default_factory=Addresses)
    digest_seq: int = 0  # the event that the last recorded digest is of
    key_check: str = ""  # fingerprint of the key of the token ids; "" until a start records it
    unregistered: UnregisteredNodes = field(default_factory=HashTrieMap)
    authorities: AuthorityKeys = NO_AUTHORITIES  # hashes of the CAs' keys, likewise
    sessions: Sessions = field(default_factory=HashTrieMap)  # none in logs of older versions
    names: Names = field(default_factory=HashTrieMap, compare=False)  # it follows from `nodes`
    administrators: Administrators = field(default_factory=Administrators)
    imported: frozenset[str] = frozenset()  # hashes of the upstream databases
    leader: Leader = NO_LEADER  # none in a log that one replica writes
    membership: Membership = field(default_factory=Membership)  # what of replicas is remembered
