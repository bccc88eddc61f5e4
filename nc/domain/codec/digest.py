"""A state's digest: 32 bytes that are equal when states are, however they came about.

Each entry of the state is hashed by itself, and the hashes are added up: maps have no order, so it
must not matter. It also lets a digest be made in parts, between other work. The sum of SHA-256
hashes modulo 2^256 is no defence against somebody who makes entries up to fit; it is one against
mistakes.
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import islice
from typing import Final

from nc.domain.state import State

_MODULUS: Final = 1 << 256

# Entries in a part: an entry takes about 3 µs, so an event loop can make a part between calls.
_PART_ENTRIES: Final = 256


def digest(state: State) -> bytes:
    """The digest of a state, 32 bytes."""
    return joined(parts(state))


def parts(state: State) -> Iterator[int]:
    """What a digest is made of, some entries at a time."""
    remaining = entries(state)
    while some := list(islice(remaining, _PART_ENTRIES)):
        yield sum(hash_entry(*entry) for entry in some)


def joined(made: Iterable[int]) -> bytes:
    """The digest that these parts make."""
    return (sum(made) % _MODULUS).to_bytes(32, "big")


def hash_entry(*fields: str | int | None) -> int:
    """The hash of one entry: SHA-256 over its fields, each as `<characters>:<text>`."""
    text = ""
    for field in fields:
        said = "-" if field is None else str(field)
        text += f"{len(said)}:{said}"  # a list that is joined takes a third longer
    return int.from_bytes(sha256(text.encode()).digest(), "big")


def entries(state: State) -> Iterator[tuple[str | int | None, ...]]:
    """All that a state says, one fact at a time; of which kind, then about what, then what."""
    addresses = state.addresses
    yield "seq", state.seq
    yield "digest", state.digest_seq
    if state.key_check:  # states of before it was known keep their digests
        yield "key", state.key_check
    yield "pool", str(addresses.network), addresses.next_slot
    for position, address in enumerate(addresses.released):
        yield "released", position, address
    for address in addresses.ahead:
        yield "ahead", address
    for token_id, token in state.tokens.items():
        yield "token", token_id, token.expires_at_ms
    for node_id, node in state.nodes.items():
        yield "node", node_id, node.token_id, node.expires_at_ms
    for node_id, link in state.links.items():
        yield "link", node_id, link.state.value, link.link_id
    for node_id, binding in addresses.by_node.items():
        yield "binding", node_id, binding.address, binding.idle_since_seq


def count_entries(state: State) -> int:
    """How many `entries` there are, in no time: what a digest costs is in proportion to them."""
    pool = state.addresses
    there_is_one_of = 3 + bool(state.key_check)  # `seq`, `digest`, `pool`, and `key` if known
    of_the_state = len(state.tokens) + len(state.nodes) + len(state.links)
    of_the_pool = len(pool.released) + len(pool.ahead) + len(pool.by_node)
    return there_is_one_of + of_the_state + of_the_pool
