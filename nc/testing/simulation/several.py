"""What several servers on one log share: the log, their lines, and the faults that last."""

import asyncio
import ssl
from collections import Counter
from typing import TYPE_CHECKING, Final

from nc.clock import Clock, now_utc
from nc.domain.levels import LEVEL
from nc.pki.certificates import REPLICA_ORGANIZATION
from nc.secrets import new_serial
from nc.server.parts import Cluster as ClusterParts
from nc.testing.seeded_random import SeededRandom
from nc.testing.simulation.lines import Lines, SimulatedLine
from nc.testing.simulation.log_view import LogView
from nc.testing.simulation.network import Network
from nc.testing.simulation.shared_log import SharedLog, Trouble
from nc.testing.targets.server import authorities

if TYPE_CHECKING:
    from nc.testing.simulation.cluster import Cluster

SERVERS: Final = 3

# So long after a fault commands may be refused, and a server be taken for lost.
AFTER_S: Final = 25.0

_RATES: Final = (0.97, 0.06)  # the slowest clock, and how much faster the fastest is
_AHEAD_S: Final = 1000.0


class Several:
    """What the servers of one cluster share.

    Attributes:
        log: what is true; each server has a view of it.
        lines: what the servers say to each other.
        levels: of the servers' versions, from their next starts on.
        last_epoch: of the leaders that have acknowledged anything.
    """

    def __init__(self, cluster: "Cluster", network: Network) -> None:
        chance = SeededRandom(("several", cluster.plan.seed))
        self.log = SharedLog(chance, network.is_cut_off)
        self.lines = Lines(
            chance, network.is_cut_off, lambda: self.log.troubles[Trouble.LATE_LINES] > 0
        )
        self.levels = [LEVEL] * SERVERS
        self.last_epoch = 0
        self._now_s = asyncio.get_running_loop().time
        self._faults = 0
        self._settled_at_s = 0.0
        self._apart: Counter[str] = Counter()
        self._apart_until_s: dict[str, float] = {}

    def count_fault(self, by: int, *apart: str) -> None:
        """Count one more fault that lasts (1), or one less (-1).

        Args:
            by: what to count.
            apart: the names of the servers that the fault keeps out of touch.
        """
        self._faults += by
        for name in apart:
            self._apart[name] += by
        self.begin_to_settle(*apart)

    def begin_to_settle(self, *apart: str) -> None:
        """From now on the servers get over a fault; `apart` were out of touch."""
        self._settled_at_s = self._now_s() + AFTER_S
        self._apart_until_s.update(dict.fromkeys(apart, self._settled_at_s))

    @property
    def is_unsettled(self) -> bool:
        """Whether a fault lasts, or has ended within the last `AFTER_S`."""
        return self._faults > 0 or self._now_s() < self._settled_at_s

    def is_in_touch(self, name: str) -> bool:
        """Whether no fault has kept a server out of touch within the last `AFTER_S`."""
        return not self._apart[name] and self._apart_until_s.get(name, 0.0) < self._now_s()

    def parts(self, view: LogView, ip: str, clock: Clock) -> ClusterParts:
        """What makes a server one of the cluster, with the mesh of the hubs."""
        secrets = self.log.chance

        def context(session: str) -> "PeerContext":
            now, serial = now_utc(clock), new_serial(secrets)
            issued = authorities().network.issue_client(session, REPLICA_ORGANIZATION, now, serial)
            return PeerContext.showing(issued.certificate_pem)

        return ClusterParts(
            lambda: view.records,
            lambda address: SimulatedLine(self.lines, ip, address.partition(":")[0]),
            context,
        )


class PeerContext(ssl.SSLContext):
    """Of a connection to another server; no byte goes through it.

    Attributes:
        shown: the certificate, DER.
    """

    shown: bytes

    @classmethod
    def showing(cls, certificate_pem: bytes) -> "PeerContext":
        context = cls(ssl.PROTOCOL_TLS_CLIENT)
        context.shown = ssl.PEM_cert_to_DER_cert(certificate_pem.decode("ascii"))
        return context


class DriftingClock:
    """A server's clock: NTP sets it right, and what it measures goes a little too fast or slow."""

    def __init__(self, clock: Clock, chance: SeededRandom) -> None:
        slowest, spread = _RATES
        self.now_ns = clock.now_ns
        self._measured_ns = clock.monotonic_ns
        self._rate = slowest + spread * chance.random()
        self._ahead_ns = round(_AHEAD_S * chance.random() * 1e9)

    def monotonic_ns(self) -> int:
        return round(self._measured_ns() * self._rate) + self._ahead_ns
