"""What must have held over a day of faults, and must hold at its end."""

import asyncio
import math
from typing import Final

from nc.domain.tokens import Tokens
from nc.server.tasks import FORGET_AFTER_S
from nc.testing.contract.laws.cluster import ALL_BACK, KEEPS_TOKENS, ONCE_ENROLLED
from nc.testing.simulation.actions import Join
from nc.testing.simulation.cluster import Cluster
from nc.testing.simulation.faults import Fault

_LOOK_S: Final = 5.0


class FieldReview:
    """Watches tokens all day, and looks at every agent at its end."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._server: object = None
        self._since_s = 0.0  # when the server started
        self._set_at_s = -math.inf  # the clock, as of the last look
        self._tokens: Tokens | None = None

    @property
    def is_needed(self) -> bool:
        return any(isinstance(action, Fault) for action in self._cluster.plan.actions)

    async def watch(self) -> None:
        """Look for forgotten tokens, for ever."""
        while True:
            self._look_for_tokens()
            await asyncio.sleep(_LOOK_S)

    def _look_for_tokens(self) -> None:
        cluster = self._cluster
        if not cluster.servers:
            return
        server = cluster.servers[0]
        if server is not self._server:
            self._server, self._since_s = server, cluster.now_s
        known, self._tokens = self._tokens, server.replica.state.tokens
        before_s, self._set_at_s = self._set_at_s, cluster.clock_set_at_s
        if known is None or known is self._tokens:
            return
        steady_s = cluster.now_s - max(self._since_s, cluster.clock_set_at_s)
        if before_s != cluster.clock_set_at_s:  # the token may have been forgotten just before
            steady_s = max(steady_s, cluster.clock_set_at_s - max(self._since_s, before_s))
        is_steady = steady_s >= FORGET_AFTER_S - _LOOK_S
        now_ms = cluster.time.now_ns() // 1_000_000
        for token_id in known:
            if token_id not in self._tokens:
                holds = is_steady or 0 < known[token_id].expires_at_ms <= now_ms
                what = f"a token is forgotten {steady_s:.0f} s after the clock was set"
                cluster.saw(KEEPS_TOKENS, what, holds=holds)

    def look_at_end(self) -> None:
        """See that every agent is connected with its address."""
        cluster = self._cluster
        self._look_for_tokens()
        first: dict[str, str] = {}
        for given in cluster.given:
            first.setdefault(given.node, given.address)
        for name, machine in cluster.machines.items():
            if name in cluster.asked_to_leave:
                continue
            is_back = machine.is_connected and machine.address == first.get(name)
            why = machine.has_given_up or f"at {machine.address}, first at {first.get(name)}"
            cluster.saw(ALL_BACK, f"{name}: {why}", holds=is_back)

    def look_at_log(self) -> None:
        """See that the log has each machine's node once, and no other."""
        cluster = self._cluster
        events = [event for entry in cluster.chronicle.entries for event in entry.events]
        ids = [e.node_registered.node_id for e in events if e.HasField("node_registered")]
        joins = sum(isinstance(action, Join) for action in cluster.plan.actions)
        missing = {cluster.node_id(machine) for machine in cluster.machines.values()} - {*ids}
        holds = len({*ids}) == len(ids) <= joins and not missing
        what = f"{len(ids)} registrations of {joins} machines; not in the log: {len(missing)}"
        cluster.saw(ONCE_ENROLLED, what, holds=holds)
