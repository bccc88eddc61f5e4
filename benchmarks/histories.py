"""What the logs that benchmarks read say: two histories, each as entries, and how they are written.

    newcomers   a token for a hundred nodes; each registers, and is given its address
    cluster     a cluster that lives: links come and go, nodes expire, leave and are replaced

The first is what a start looks like that has to read everything, the second what a log looks like
that is read back. Both are the same at every run.
"""

import hashlib
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address
from itertools import islice
from pathlib import Path

import eventlog
from nc.domain.decide import Command
from nc.domain.events import (
    AddressBound,
    Batch,
    Certificate,
    Entry,
    Event,
    Label,
    NodeFacts,
    NodeRegistered,
    ReplicaStarted,
    StateChanged,
    TokenIssued,
    pb,
)
from nc.domain.links import AcceptLink, DropLink, HandOverAddress
from nc.domain.network import Network
from nc.domain.nodes import Expiry, SetExpiries, Unregister
from nc.domain.replicas import StartReplica
from nc.domain.state import State
from nc.domain.tokens import (
    EXPIRED_TOKEN_RETENTION_MS,
    ForgetExpiredTokens,
    IssueToken,
    RedeemToken,
)
from nc.replica.batch import Origin, decide_batch

NETWORK = "10.0.0.1/8"
ENTRIES = 256  # in a record, as under load
NODES_A_TOKEN = 100
BEGAN_MS = 1_800_000_000_000


def write_log(folder: Path, entries: Iterable[Entry]) -> None:
    log = eventlog.open(folder)
    iterator = iter(entries)
    while some := list(islice(iterator, ENTRIES)):
        batch = Batch(entries=some)
        count = sum(len(entry.events) for entry in some)
        log.append(batch.SerializeToString(), count, log.last_seq)
    log.close()


def kinds(entries: Iterable[Entry]) -> Counter[str]:
    """How many events of which kind there are."""
    return Counter(str(event.WhichOneof("kind")) for entry in entries for event in entry.events)


def identity(*what: object) -> str:
    """An id as the server makes them: 32 hex digits."""
    return hashlib.md5(repr(what).encode(), usedforsecurity=False).hexdigest()


def certificates(node_id: str) -> tuple[Certificate, ...]:
    """What a node is given: one certificate of each authority."""
    authorities = (pb.CERTIFICATE_AUTHORITY_GRPC, pb.CERTIFICATE_AUTHORITY_NETWORK)
    return tuple(
        Certificate(authority=authority, serial=node_id, not_after_ms=BEGAN_MS)
        for authority in authorities
    )


def named(number: int) -> NodeRegistered:
    """What a node says of itself that is enrolled by the agent: all but its ids."""
    name = f"worker-{number}"
    return NodeRegistered(
        name=name,
        labels=[Label(key="zone", value="a"), Label(key="role", value="edge")],
        facts=NodeFacts(
            hostname=name,
            os="linux",
            architecture="x86_64",
            agent_version="0.3.0",
            peer_address=str(IPv4Address(0xC6120000 + number)),
        ),
        key_sha256=hashlib.sha256(name.encode()).hexdigest(),
    )


def newcomers(nodes: int, *, linked: bool = False, are_named: bool = False) -> Iterator[Entry]:
    """Nodes that register, and are given their addresses: two events a node.

    Linked, each is CONNECTED with that address: two more events. Named, each has a profile, and its
    own times: a name, two labels of its token, facts and the hash of a key.
    """
    network = Network.parse(NETWORK)
    addresses = (a for slot in range(network.slots) if (a := network.address(slot)))
    yield Entry(events=[Event(replica_started=ReplicaStarted(network_address=NETWORK))])
    for number, address in zip(range(nodes), addresses, strict=False):
        token_id, node_id = identity("token", number // NODES_A_TOKEN), identity("node", number)
        if number % NODES_A_TOKEN == 0:
            yield Entry(events=[Event(token_issued=TokenIssued(token_id=token_id))])
        registered = NodeRegistered(
            node_id=node_id, token_id=token_id, certificates=certificates(node_id)
        )
        if are_named:
            registered.MergeFrom(named(number))
            for certificate in registered.certificates:
                certificate.not_after_ms += 1000 * number
        link_id = identity("link", number)
        init, connected = pb.CONNECTION_STATE_INIT, pb.CONNECTION_STATE_CONNECTED
        changes = [
            StateChanged(node_id=node_id, from_state=source, to_state=to_state, link_id=link_id)
            for source, to_state in ((pb.CONNECTION_STATE_IDLE, init), (init, connected))
        ]
        yield Entry(
            recorded_at_ns=(BEGAN_MS + 10 * number) * 1_000_000 if are_named else 0,
            actor=f"bootstrap:{token_id}",
            method="GetToken",
            request_id=node_id[:20],
            events=[
                Event(node_registered=registered),
                Event(address_bound=AddressBound(node_id=node_id, address=address)),
                *(Event(state_changed=change) for change in changes if linked),
            ],
        )


def cluster(nodes: int, events: int) -> Iterator[Entry]:
    """So many nodes and what becomes of them, decided by the rules, until there are enough events.

    Of the moves, six in ten are a link that closes and comes back; one each an expiry that is set,
    a node that expires and is revived, one that leaves for a newcomer, a token that serves nobody.
    """
    life = _Life(nodes)
    state = State()
    while state.seq < events:
        waiting = [(command, Origin("system", "life", identity(state.seq))) for command in life()]
        decided = decide_batch(state, waiting, life.now_ms * 1_000_000)
        assert not any(isinstance(outcome, Exception) for outcome in decided.outcomes)
        state = decided.state
        yield from decided.entries


class _Life:
    """What happens to a cluster, a few commands at a time."""

    def __init__(self, nodes: int) -> None:
        self._chance = random.Random(1)  # noqa: S311 - the same at every run
        self._nodes: list[str] = []
        self._links: dict[str, str] = {}
        self._newest_token = ""
        self._tokens: list[tuple[str, int]] = []  # that expire, and when
        self._wanted = nodes
        self._drawn = 0
        self.now_ms = BEGAN_MS

    def __call__(self) -> list[Command]:
        self.now_ms += self._chance.randrange(10_000)
        if not self._drawn:
            return [StartReplica("bench", "0", NETWORK), *self._newcomer()]
        if len(self._nodes) < self._wanted:
            return self._newcomer()
        moves = [self._flap] * 6 + [self._set_expiry, self._expire, self._replace, self._token]
        return self._chance.choice(moves)()

    def _draw(self) -> str:
        self._drawn += 1
        return identity(self._drawn)

    def _newcomer(self) -> list[Command]:
        node_id, number = self._draw(), self._drawn // NODES_A_TOKEN
        token_id = identity("token", number)
        issue: list[Command] = []
        if token_id != self._newest_token:
            issue = [IssueToken(token_id, -1, self.now_ms)]
        self._newest_token = token_id
        self._nodes.append(node_id)
        redeem = RedeemToken(token_id, node_id, certificates(node_id), self.now_ms)
        return [*issue, redeem, *self._connect(node_id)]

    def _connect(self, node_id: str) -> list[Command]:
        link_id = self._links[node_id] = self._draw()[:16]
        return [
            AcceptLink(node_id, link_id, self.now_ms),
            HandOverAddress(node_id, link_id, self.now_ms),
        ]

    def _flap(self) -> list[Command]:
        node_id = self._chance.choice(self._nodes)
        drop = DropLink(node_id, self._links[node_id], pb.STATE_CHANGE_REASON_LINK_CLOSED)
        return [drop, *self._connect(node_id)]

    def _set_expiry(self) -> list[Command]:
        node_id = self._chance.choice(self._nodes)
        expires_at_ms = self.now_ms * 2 + self._chance.randrange(10**9)
        return [SetExpiries((Expiry(node_id, expires_at_ms),), self.now_ms)]

    def _expire(self) -> list[Command]:
        node_id = self._chance.choice(self._nodes)
        over, never = Expiry(node_id, self.now_ms), Expiry(node_id, 0)
        return [
            SetExpiries((over,), self.now_ms),
            SetExpiries((never,), self.now_ms),
            *self._connect(node_id),
        ]

    def _replace(self) -> list[Command]:
        index = self._chance.randrange(len(self._nodes))
        self._nodes[index], self._nodes[-1] = self._nodes[-1], self._nodes[index]
        gone = self._nodes.pop()
        return [Unregister(gone), *self._newcomer()]

    def _token(self) -> list[Command]:
        """A token is issued, and one that expired long ago is forgotten."""
        token_id = self._draw()
        self._tokens.append((token_id, self.now_ms + 60_000 + EXPIRED_TOKEN_RETENTION_MS))
        commands: list[Command] = [IssueToken(token_id, 1, self.now_ms)]
        if self._tokens[0][1] <= self.now_ms:
            commands.append(ForgetExpiredTokens((self._tokens.pop(0)[0],), self.now_ms))
        return commands
