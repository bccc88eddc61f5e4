"""What takes a look at every node, or at files: found out now and then, not at each scrape."""

import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

from eventlog.snapshots import SNAPSHOT_SUFFIX
from nc.clock import now_ms
from nc.domain.expiry import has_passed
from nc.domain.map_items import items_of
from nc.domain.nodes import Node
from nc.domain.state import State
from nc.errors import OperatorError
from nc.metrics.sources import Sources
from nc.metrics.tally import Tally
from nc.rpc.admin.selection import ends_for_good
from nc.rpc.admin.server import ServerFacts
from nc.rpc.admin.views import state_since_ms

INTERVAL_S: Final = 30.0

_SECOND_MS: Final = 1000
_DAY_MS: Final = 24 * 60 * 60 * _SECOND_MS

# How long nodes have been without a link, at least; in ms.
OFFLINE_MS: Final = {"5m": 5 * 60 * _SECOND_MS, "1h": 60 * 60 * _SECOND_MS, "1d": _DAY_MS}

# "Soon", for certificates that cannot be renewed.
SOON_MS: Final = 30 * _DAY_MS

# Nodes that are looked at before others have their turn: a millisecond's work.
_SLICE: Final = 500


@dataclass(slots=True)
class Counted:
    """One census.

    Attributes:
        offline: nodes that may have a link and have none, for how long at least.
        unrenewable: nodes whose certificates end soon, or have ended, and cannot be renewed.
        flapping: nodes whose links end again and again.
        facts: None: they could not be had.
        snapshot_s: when the newest snapshot file was written, Unix time; None: there is none.
    """

    at_ms: int
    offline: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OFFLINE_MS, 0))
    expired: int = 0
    unrenewable: int = 0
    flapping: int = 0
    facts: ServerFacts | None = None
    snapshot_s: float | None = None

    def add(self, state: State, items: Iterable[tuple[str, Node]]) -> None:
        now, links = self.at_ms, state.links
        for node_id, node in items:
            self.unrenewable += ends_for_good(node, now + SOON_MS)
            if has_passed(node.expires_at_ms, now):
                self.expired += 1
            elif node_id not in links and (since_ms := state_since_ms(state, node_id, node)):
                for name, at_least_ms in OFFLINE_MS.items():
                    self.offline[name] += now - since_ms >= at_least_ms


class Census:
    """Takes a census again and again.

    Attributes:
        last: the newest; None before the first.
    """

    def __init__(self, sources: Sources, tally: Tally) -> None:
        self._sources = sources
        self._tally = tally
        self.last: Counted | None = None

    async def keep(self) -> None:
        """Take one now, and another whenever `INTERVAL_S` is over."""
        while True:
            await self.take()
            await asyncio.sleep(INTERVAL_S)

    async def take(self) -> None:
        sources, state = self._sources, self._sources.replica.state
        counted = Counted(now_ms(sources.clock), flapping=self._tally.flapping())
        nodes = iter(items_of(state.nodes))
        while some := list(islice(nodes, _SLICE)):
            counted.add(state, some)
            await asyncio.sleep(0)
        try:
            counted.facts = facts = await sources.facts()
            if facts.log.folder:
                folder = Path(facts.log.folder)
                counted.snapshot_s = await sources.run_blocking(lambda: newest_snapshot_s(folder))
        except (OSError, MemoryError, OperatorError):
            pass  # a passing lack: these metrics are absent until the next census
        self.last = counted


def newest_snapshot_s(folder: Path) -> float | None:
    """When the newest snapshot of a log's folder was written, Unix time; None without one."""
    with os.scandir(folder) as entries:
        snapshots = [each for each in entries if each.name.endswith(SNAPSHOT_SUFFIX)]
    newest = max(snapshots, key=lambda each: each.name, default=None)
    return None if newest is None else newest.stat().st_mtime
