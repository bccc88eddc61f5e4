"""A long history as a busy cluster would write it: made by the real decisions, from a seed."""

from collections.abc import Iterator
from hashlib import sha256
from random import Random

from nc.domain.codec.records import Recorded
from nc.domain.decide import Command
from nc.domain.events import Certificate, pb
from nc.domain.fsm import ConnectionState
from nc.domain.links import AcceptLink, DropLink, HandOverAddress, link_of
from nc.domain.nodes import Expiry, SetExpiries, Unregister
from nc.domain.replicas import StartReplica
from nc.domain.state import State
from nc.domain.tokens import IssueToken, RedeemToken
from nc.replica.batch import Origin, decide_batch
from tests.support.histories import MINUTE_MS, NOW_MS

ADMIN = "certificate:admin:75b753c15e86ca23"
START = StartReplica("replica-1", "0.1.0", "10.1.0.1/16")
TOKEN = sha256(b"token").hexdigest()[:32]
LOSSES = (pb.STATE_CHANGE_REASON_LINK_CLOSED, pb.STATE_CHANGE_REASON_LINK_SILENT)

Asked = tuple[Command, str, str]  # a command, by whom, through what


def busy_history(nodes: int, events: int, seed: int = 0) -> list[Recorded]:
    """So many events or a few more: as many nodes join, connect, fail, and a few leave."""
    random = Random(seed)  # noqa: S311 - a history to look at, and no secret
    cluster = _Cluster(random, nodes)
    state, at_ms = State(), NOW_MS
    history: list[Recorded] = []
    while len(history) < events:
        at_ms += 20 + int(random.expovariate(1 / 900)) * random.randrange(3)
        for command, actor, method in cluster.next_commands(state, at_ms):
            origin = Origin(actor, method, f"{random.getrandbits(80):020x}")
            decided = decide_batch(state, [(command, origin)], at_ms * 1_000_000)
            for entry in decided.entries:
                history += [
                    Recorded(seq, entry, e) for seq, e in enumerate(entry.events, state.seq + 1)
                ]
            state = decided.state
            at_ms += 3 + random.randrange(30)
    return history


class _Cluster:
    """Machines that join and come and go, some of them more often than others."""

    def __init__(self, random: Random, nodes: int) -> None:
        self._random = random
        self._to_join = [sha256(b"%d" % number).hexdigest()[:32] for number in range(nodes)]
        self._joined: list[str] = []
        self._links = 0

    def next_commands(self, state: State, now_ms: int) -> Iterator[Asked]:
        """What happens next, or nothing."""
        if state.seq == 0:
            yield START, "system", "start"
            yield IssueToken(TOKEN, -1, now_ms), ADMIN, "GetBootStrapToken"
        chance = self._random.random()
        if self._to_join and (chance < 0.15 or not self._joined):
            node_id = self._to_join.pop(0)
            self._joined.append(node_id)
            yield self._redeem(node_id, now_ms)
            return
        node_id = self._joined[int(self._random.random() ** 2 * len(self._joined))]
        if chance > 0.9999:
            yield START, "system", "start"
        elif chance > 0.996:
            yield Unregister(node_id), ADMIN, "UnRegister"
        elif chance > 0.990:
            expiry = Expiry(node_id, now_ms + self._random.randrange(-5, 90) * MINUTE_MS)
            yield SetExpiries((expiry,), now_ms), ADMIN, "UpdateSensorExpireTime"
        else:
            yield from self._link_moves(state, node_id, now_ms)

    def _redeem(self, node_id: str, now_ms: int) -> Asked:
        serial = sha256(node_id.encode()).hexdigest()[:40]
        until_ms = now_ms + 365 * 24 * 60 * MINUTE_MS
        certificates = tuple(
            Certificate(authority=authority, serial=serial, not_after_ms=until_ms)
            for authority in (pb.CERTIFICATE_AUTHORITY_GRPC, pb.CERTIFICATE_AUTHORITY_NETWORK)
        )
        command = RedeemToken(TOKEN, node_id, certificates, now_ms)
        return command, f"bootstrap:{TOKEN}", "GetToken"

    def _link_moves(self, state: State, node_id: str, now_ms: int) -> Iterator[Asked]:
        link = link_of(state.links, node_id)
        actor = f"link:{node_id}"
        if link.state is ConnectionState.IDLE:
            self._links += 1
            link_id = f"{self._links:08x}"
            yield AcceptLink(node_id, link_id, now_ms), actor, "link"
            if self._random.random() < 0.95:
                yield HandOverAddress(node_id, link_id, now_ms), actor, "link"
        elif self._random.random() < 0.25 or link.state is ConnectionState.INIT:
            reason = self._random.choice(LOSSES)
            yield DropLink(node_id, link.link_id, reason), actor, "link"
