"""Puts a state together from the parts of a snapshot (`nc.domain.codec.snapshot`)."""

from collections.abc import Iterable, Iterator
from itertools import chain, compress, repeat
from typing import TypeVar, cast

from rpds import HashTrieMap, HashTrieSet, Queue

from nc.domain.addresses import Addresses
from nc.domain.administrators import Administrator, Administrators, Role
from nc.domain.bindings import Binding, idle_hours
from nc.domain.codec.membership import MembershipReader
from nc.domain.fsm import ConnectionState
from nc.domain.leadership import NO_LEADER, evolve_elected
from nc.domain.links import NodeLink
from nc.domain.network import Network
from nc.domain.nodes import Node
from nc.domain.profile import NO_PROFILE, Profile, facts_in, key_in, labels_in
from nc.domain.replicas import NO_AUTHORITIES, AuthorityKeys
from nc.domain.state import State
from nc.domain.terms import NO_TERMS, terms_in
from nc.domain.tokens import Token
from nc.pb import snapshot_pb2 as pb

T = TypeVar("T")


class Reader:
    """Collects what the parts list; `finish` makes each map at once, from pairs."""

    def __init__(self) -> None:
        self._seq = 0
        self._pool: pb.Pool | None = None
        self._digest_seq = 0
        self._key_check = ""
        self._authorities = NO_AUTHORITIES
        self._released: list[str] = []
        self._ahead: list[str] = []
        self._administrators: dict[str, Administrator] = {}
        self._installed = ""
        self._imported: list[str] = []
        self._membership = MembershipReader()
        self._leader = NO_LEADER
        self._tokens: list[Iterable[tuple[str, Token]]] = []
        self._token_ids: list[str] = []  # of the nodes; those of one token share its id
        self._nodes: list[Iterable[tuple[str, Node]]] = []
        self._unregistered: list[Iterable[tuple[str, int]]] = []
        self._links: list[Iterable[tuple[str, NodeLink]]] = []
        self._owners: list[str] = []  # of the links, by number
        self._sessions: list[Iterable[tuple[str, str]]] = []
        self._by_node: list[Iterable[tuple[str, Binding]]] = []

    def add(self, part: pb.StatePart) -> None:
        if self._pool is None:
            self._seq, self._pool = part.seq, part.pool
            self._digest_seq, self._key_check = part.digest_seq, part.key_check
            self._authorities = AuthorityKeys(part.grpc_authority, part.network_authority)
            self._leader = evolve_elected(part.leader, awaits_start=part.leader_awaits_start)
        self._released += part.pool.released
        self._ahead += part.pool.ahead
        self._imported += part.imported
        links, bindings = part.links, part.bindings
        self._add_tokens(part.tokens)
        self._add_nodes(part.nodes)
        self._add_administrators(part.administrators)
        self._membership.add(part.membership)
        gone = part.unregistered
        self._unregistered.append(_pairs(gone.ids, gone.until_ms))
        self._add_links(links)
        self._sessions.append(_pairs(part.sessions.ids, part.sessions.replica_ids))
        self._add_bindings(
            bindings.node_ids,
            bindings.addresses,
            bindings.idle_since_seqs,
            bindings.idle_since_ms,
            bindings.assigned,
        )

    def _add_links(self, links: pb.Links) -> None:
        self._owners += links.sessions
        states, owners = map(ConnectionState, links.states), self._owners
        held_by = [owners[number] for number in links.session_numbers]
        made = map(NodeLink, states, links.link_ids, held_by, links.since_ms)
        self._links.append(_pairs(links.node_ids, made))

    def _add_tokens(self, tokens: pb.Tokens) -> None:
        columns = zip(
            *(tokens.expires_at_ms, tokens.issued_at_ms, tokens.uses, tokens.nodes),
            *(tokens.day_began_ms, tokens.enrolled),
            strict=True,
        )
        made = [
            Token(expiry, issued, None, uses, nodes, NO_TERMS, began_ms, enrolled)
            for expiry, issued, uses, nodes, began_ms, enrolled in columns
        ]
        for each in tokens.terms:
            made[each.index] = made[each.index]._replace(
                revoked_at_ms=each.revoked_at_ms if each.revoked else None,
                terms=terms_in(each),
            )
        self._tokens.append(_pairs(tokens.ids, made))

    def _add_nodes(self, nodes: pb.Nodes) -> None:
        ids = list(nodes.ids)
        self._token_ids += nodes.token_ids
        registered_ms = list(nodes.registered_at_ms)
        idle_ms = _shared(nodes.idle_since_ms, registered_ms)
        made = list(
            map(
                Node,
                [self._token_ids[number] for number in nodes.token_numbers],
                nodes.expires_at_ms,
                registered_ms,
                nodes.certificates_end_ms,
                nodes.links,
                repeat(NO_PROFILE),
                idle_ms,
                nodes.ranks,
            )
        )
        for each in nodes.profiles:
            made[each.index] = made[each.index]._replace(profile=profile_in(each))
        self._nodes.append(_pairs(ids, made))
        assigned = frozenset(nodes.assigned)
        self._add_bindings(
            ids,
            nodes.addresses,
            nodes.idle_since_seqs,
            _shared(nodes.address_idle_since_ms, idle_ms),
            [index in assigned for index in range(len(ids))],
        )

    def _add_bindings(
        self,
        ids: Iterable[str],
        addresses: Iterable[str],
        idle_since_seqs: Iterable[int],
        idle_since_ms: Iterable[int],
        assigned: Iterable[bool],
    ) -> None:
        texts = list(addresses)
        seqs = [seq or None for seq in idle_since_seqs]
        held = map(Binding, texts, seqs, idle_since_ms, assigned)
        self._by_node.append(compress(_pairs(ids, held), texts))

    def _add_administrators(self, administrators: pb.Administrators) -> None:
        self._installed = administrators.installed or self._installed
        for each in administrators.administrators:
            self._administrators[each.serial] = Administrator(
                each.name,
                cast("Role", each.role),
                each.ends_at_ms,
                each.added_at_ms,
                each.installed,
                each.revoked_at_ms if each.revoked else None,
            )

    def finish(self) -> State:
        if self._pool is None:
            raise ValueError("a snapshot without parts")
        by_node = list(chain.from_iterable(self._by_node))
        nodes = list(chain.from_iterable(self._nodes))
        addresses = Addresses(
            Network.parse(self._pool.network),
            self._pool.next_slot,
            Queue(self._released),
            HashTrieMap(by_node),
            HashTrieSet(self._ahead),
            idle_hours(binding for _, binding in by_node),
        )
        return State(
            self._seq,
            HashTrieMap(chain.from_iterable(self._tokens)),
            HashTrieMap(nodes),
            HashTrieMap(chain.from_iterable(self._links)),
            addresses,
            self._digest_seq,
            self._key_check,
            HashTrieMap(chain.from_iterable(self._unregistered)),
            self._authorities,
            HashTrieMap(chain.from_iterable(self._sessions)),
            HashTrieMap(
                (node.profile.name, node_id) for node_id, node in nodes if node.profile.name
            ),
            Administrators(HashTrieMap(self._administrators), self._installed),
            frozenset(self._imported),
            self._leader,
            self._membership.finish(),
        )


def _pairs(keys: Iterable[str], values: Iterable[T]) -> Iterator[tuple[str, T]]:
    """Columns as entries; copied now, since a lazy read would keep the whole message alive."""
    return zip(list(keys), list(values), strict=True)


def _shared(numbers: Iterable[int], others: list[int]) -> list[int]:
    """The numbers; where the other is equal, its object, as after a fold."""
    return [
        other if number == other else number for number, other in zip(numbers, others, strict=True)
    ]


def profile_in(message: pb.NodeProfile) -> Profile:
    profile = Profile(
        message.name,
        labels_in(message.labels),
        message.note,
        key=key_in(message.key_sha256),
        imported=message.imported,
    )
    return profile.with_facts(facts_in(message.facts))
