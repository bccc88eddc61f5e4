"""A state's digest: 32 bytes that are equal when the states are.

It leaves out when nodes' certificates end: recorded digests of older versions must stay true.

Each entry of the state is hashed by itself, and the hashes are added up: maps have no order, so the
order must not matter. The sum can also be computed in parts, between other work. A sum of SHA-256
hashes modulo 2^256 finds mistakes; it does not stop an attacker who chooses entries to fit.
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import chain, islice
from typing import Final

from nc.domain.leadership import NO_LEADER
from nc.domain.profile import NO_PROFILE, Profile
from nc.domain.state import State
from nc.domain.terms import NO_TERMS
from nc.domain.tokens import Token

_MODULUS: Final = 1 << 256

# Entries in a part: an entry takes about 3 µs, so an event loop can make a part between calls.
_PART_ENTRIES: Final = 256


def digest(state: State) -> bytes:
    return joined(parts(state))


def parts(state: State) -> Iterator[int]:
    """The summands of a digest, some entries at a time."""
    remaining = entries(state)
    while some := list(islice(remaining, _PART_ENTRIES)):
        yield sum(hash_entry(*entry) for entry in some)


def joined(made: Iterable[int]) -> bytes:
    return (sum(made) % _MODULUS).to_bytes(32, "big")


def hash_entry(*fields: str | int | None) -> int:
    """The hash of one entry: SHA-256 over its fields, each as `<characters>:<text>`."""
    text = ""
    for field in fields:
        written = "-" if field is None else str(field)
        text += f"{len(written)}:{written}"  # joining a list takes a third longer
    return int.from_bytes(sha256(text.encode()).digest(), "big")


def entries(state: State) -> Iterator[tuple[str | int | None, ...]]:
    """The entries of a state: kind, key, values."""
    addresses = state.addresses
    yield "seq", state.seq
    yield "digest", state.digest_seq
    if state.key_check:  # older states without one keep their digests
        yield "key", state.key_check
    if any(state.authorities):
        yield "authorities", *state.authorities
    yield "pool", str(addresses.network), addresses.next_slot
    for position, address in enumerate(addresses.released):
        yield "released", position, address
    for address in addresses.ahead:
        yield "ahead", address
    for token_id, token in state.tokens.items():
        yield "token", token_id, token.expires_at_ms, *_of_token(token)
    for node_id, node in state.nodes.items():
        yield "node", node_id, node.token_id, node.expires_at_ms, *_of_profile(node.profile)
    for node_id, until_ms in state.unregistered.items():  # none in logs of older versions
        yield "unregistered", node_id, until_ms
    yield from _link_entries(state)
    for node_id, binding in addresses.by_node.items():
        assigned = ("assigned",) if binding.is_assigned else ()
        yield "binding", node_id, binding.address, binding.idle_since_seq, *assigned
    yield from _administration(state)


def _administration(state: State) -> Iterator[tuple[str | int | None, ...]]:
    """The entries of which logs of older versions have none."""
    installed = state.administrators.installed
    for serial, each in state.administrators.by_serial.items():
        revoked = "good" if each.revoked_at_ms is None else "revoked"
        place = "installed" if serial == installed else ""
        yield "administrator", serial, each.name, each.role, each.ends_at_ms, revoked, place
    for database in state.imported:
        yield "imported", database
    members = state.membership  # of which nothing that old logs have: their digests stay
    for invitation_id, invited in members.invitations.items():
        redeemed = (invited.replica_id, invited.peer_address, invited.attempt_id)
        yield "invitation", invitation_id, invited.expires_at_ms, *redeemed
    for replica_id in members.removed:
        yield "removed", replica_id


def _of_token(token: Token) -> tuple[str | int, ...]:
    """What a token has that those of older versions have not; nothing for one as theirs."""
    if token.terms == NO_TERMS and not token.is_revoked:
        return ()
    terms = token.terms
    return (
        *("revoked" if token.is_revoked else "good", token.uses, token.nodes),
        *(terms.label, terms.max_uses, terms.max_nodes, terms.node_name_prefix),
        *chain.from_iterable(terms.node_labels),
    )


def _of_profile(profile: Profile) -> tuple[str | int, ...]:
    """What a node has that those of older versions have not; nothing for one as theirs."""
    if profile == NO_PROFILE:
        return ()
    return (
        *(profile.name, profile.note, profile.key_sha256, int(profile.imported)),
        *profile.facts,
        *chain.from_iterable(profile.labels),
    )


def _link_entries(state: State) -> Iterator[tuple[str | int | None, ...]]:
    for node_id, link in state.links.items():
        owner = (link.session,) if link.session else ()  # older versions wrote none
        yield "link", node_id, link.state.value, link.link_id, *owner
    for session, replica_id in state.sessions.items():
        yield "session", session, replica_id
    if state.leader != NO_LEADER:
        awaits_start = ("awaits start",) if state.leader.awaits_start else ()
        yield "leader", *state.leader[:4], *awaits_start


def count_entries(state: State) -> int:
    """How many `entries` there are, in O(1); the cost of a digest is in proportion."""
    pool = state.addresses
    # `seq`, `digest`, `pool`; `key`, `authorities` and `leader` if they are known
    single = 3 + bool(state.key_check) + any(state.authorities) + (state.leader != NO_LEADER)
    maps = len(state.tokens) + len(state.nodes) + len(state.links) + len(state.unregistered)
    maps += len(state.sessions)
    maps += len(state.administrators.by_serial) + len(state.imported)
    maps += len(state.membership.invitations) + len(state.membership.removed)
    return single + maps + len(pool.released) + len(pool.ahead) + len(pool.by_node)
