"""One start of a server on the golden log, without its ports, and with a clock of its own."""

import time
from importlib.metadata import version
from itertools import count
from pathlib import Path

import eventlog
from nc.domain.decide import Command
from nc.domain.events import Certificate, pb
from nc.domain.links import AcceptLink, DropLink, HandOverAddress
from nc.domain.nodes import ExpireNodes, Expiry, ForgetUnregistered, SetExpiries
from nc.domain.replicas import StartReplica, StopReplica
from nc.domain.tokens import ForgetExpiredTokens, RedeemToken
from nc.replica.batch import Origin
from nc.replica.local_log import LocalLog
from nc.replica.replica import Replica
from nc.secrets import TokenIds

VERSION = version("litekube-network-controller")
KEY = bytes(range(32))  # of a log that holds nothing secret
IDS = TokenIds(KEY)
LASTING, BRIEF = IDS.id_of("1a" * 8), IDS.id_of("b1" * 8)
ALPHA, BETA, GAMMA, DELTA = (IDS.id_of(name * 8) for name in ("a1", "be", "ca", "de"))
LIMITED, EPSILON, ZETA = (IDS.id_of(name * 8) for name in ("11", "e0", "2e"))
ADMIN = "certificate:admin:75b753c15e86ca23"

START_MS = 1_795_161_600_000  # 2026-11-20, 08:00 UTC
MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
SEGMENT_SIZE_BYTES = 4096
DIGEST_EVENTS = 8


class Clock:
    def __init__(self) -> None:
        self.now_ms = START_MS

    def now_ns(self) -> int:
        return self.now_ms * 1_000_000

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()


class Life:
    """One start of a server on the log, without its ports."""

    def __init__(self, folder: Path, network: str, clock: Clock, requests: "count[int]") -> None:
        self._log = eventlog.open(folder, segment_size_bytes=SEGMENT_SIZE_BYTES)
        self._clock = clock
        self._requests = requests
        self._network = network
        self.replica = Replica(LocalLog(self._log, clock), clock)
        self.replica.digests.interval_events = DIGEST_EVENTS

    async def start(self) -> None:
        self.replica.start()
        start = StartReplica("golden", VERSION, self._network, IDS.key_check)
        await self.do(start, "system", "start")

    async def do(self, command: Command, actor: str, method: str) -> None:
        origin = Origin(actor, method, f"{next(self._requests):020x}")
        await self.replica.submit(command, origin)
        self._clock.now_ms += MINUTE_MS

    async def stop(self) -> None:
        """End as a server does that is asked to."""
        await self.do(StopReplica("golden"), "system", "stop")
        await self.end()

    async def end(self) -> None:
        """End without an event, as in a crash."""
        await self.replica.stop()
        self._log.close()

    async def register(self, node_id: str, token_id: str) -> None:
        until_ms = self._clock.now_ms + 365 * DAY_MS
        certificates = tuple(
            Certificate(authority=authority, serial=node_id[:20], not_after_ms=until_ms)
            for authority in (pb.CERTIFICATE_AUTHORITY_GRPC, pb.CERTIFICATE_AUTHORITY_NETWORK)
        )
        command = RedeemToken(token_id, node_id, certificates, self._clock.now_ms)
        await self.do(command, f"bootstrap:{token_id}", "GetToken")

    async def accept(self, node_id: str, link_id: str) -> None:
        await self.do(
            AcceptLink(node_id, link_id, self._clock.now_ms, reclaim_after_ms=0),
            f"link:{node_id}",
            "link",
        )

    async def connect(self, node_id: str, link_id: str) -> None:
        await self.accept(node_id, link_id)
        command = HandOverAddress(node_id, link_id, self._clock.now_ms, reclaim_after_ms=0)
        await self.do(command, f"link:{node_id}", "link")

    async def drop(self, node_id: str, link_id: str, reason: pb.StateChangeReason) -> None:
        await self.do(DropLink(node_id, link_id, reason), f"link:{node_id}", "link")

    async def expire_at(self, node_id: str, expires_at_ms: int) -> None:
        command = SetExpiries((Expiry(node_id, expires_at_ms),), self._clock.now_ms)
        await self.do(command, ADMIN, "UpdateSensorExpireTime")

    async def sweep(self) -> None:
        await self.do(ExpireNodes(self._clock.now_ms), "system", "sweep")
        tokens = tuple(sorted(self.replica.state.tokens))
        await self.do(ForgetExpiredTokens(tokens, self._clock.now_ms), "system", "sweep")
        gone = tuple(sorted(self.replica.state.unregistered))
        await self.do(ForgetUnregistered(gone, self._clock.now_ms), "system", "sweep")
