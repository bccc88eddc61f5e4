"""A program: a replica in a small network, driven by many callers until somebody kills it.

    replica_driver.py FOLDER SEED

Every acknowledged outcome is one line of JSON on stdout, written before anything else is done with
it. The network has six addresses for a dozen nodes, so that they are taken from one another.
"""

import asyncio
import itertools
import json
import os
import random
import sys
import time
from typing import Any

import eventlog
from nc.clock import SystemClock
from nc.domain.errors import DomainError
from nc.domain.events import Certificate, pb
from nc.domain.links import AcceptLink, DropLink, HandOverAddress
from nc.domain.nodes import Unregister
from nc.domain.replicas import StartReplica
from nc.domain.state import State
from nc.domain.tokens import IssueToken, RedeemToken
from nc.replica.batch import Origin
from nc.replica.local_log import LocalLog
from nc.replica.replica import Replica

NETWORK = "10.1.1.1/28"
NODES = 12
CALLERS = 24
LOOK_INTERVAL_S = 0.001
TOKEN_ID = "token"  # noqa: S105 - an id


def say(**fields: Any) -> None:
    """One line, whole or not at all: short writes into a pipe are atomic (pipe(7), PIPE_BUF)."""
    os.write(1, json.dumps(fields).encode() + b"\n")


class Driver:
    """Callers that do whatever comes to their minds.

    Args:
        replica: what is driven.
        life: the writer's epoch; makes ids unique.
        rng: what comes to their minds.
    """

    def __init__(self, replica: Replica, life: int, rng: random.Random) -> None:
        self._replica = replica
        self._life = life
        self._rng = rng
        self._numbers = itertools.count()

    async def run(self) -> None:
        await self._submit(StartReplica("driver", "0", NETWORK), "start")
        if TOKEN_ID not in self._replica.state.tokens:
            await self._submit(IssueToken(TOKEN_ID, -1, _now_ms()), "GetBootStrapToken")
        state = self._replica.state
        say(ready=state.seq, bound=_bindings(state), idle=not state.links)
        async with asyncio.TaskGroup() as callers:
            callers.create_task(self._look())
            for _ in range(CALLERS):
                callers.create_task(self._call())

    async def _look(self) -> None:
        """What a query sees is durable, too, whenever it looks."""
        seen = 0
        while True:
            state = self._replica.state
            if state.seq != seen:
                seen = state.seq
                say(saw=seen, bound=_bindings(state))
            await asyncio.sleep(LOOK_INTERVAL_S)

    async def _call(self) -> None:
        while True:
            await self._act()

    async def _act(self) -> None:
        rng, state = self._rng, self._replica.state
        if len(state.nodes) < NODES:
            node_id = self._fresh("node")
            command = RedeemToken(TOKEN_ID, node_id, self._certificates(), _now_ms())
            await self._submit(command, "GetToken")
            return
        node_id = rng.choice(sorted(state.nodes))
        link = state.links.get(node_id)
        if rng.random() < 0.02:
            await self._submit(Unregister(node_id), "UnRegister")
        elif link is None or rng.random() < 0.1:
            await self._submit(
                AcceptLink(node_id, self._fresh("link"), _now_ms(), reclaim_after_ms=0), "link"
            )
        elif rng.random() < 0.5:
            await self._submit(
                HandOverAddress(node_id, link.link_id, _now_ms(), reclaim_after_ms=0), "link"
            )
        else:
            reason = pb.STATE_CHANGE_REASON_LINK_CLOSED
            await self._submit(DropLink(node_id, link.link_id, reason), "link")

    async def _submit(self, command: Any, method: str) -> None:
        request_id = self._fresh("request")
        try:
            events = await self._replica.submit(command, Origin("driver", method, request_id))
        except DomainError as error:
            say(refused=request_id, why=type(error).__name__)
        else:
            say(done=request_id, events=[event.SerializeToString().hex() for event in events])

    def _certificates(self) -> tuple[Certificate, ...]:
        return tuple(
            Certificate(authority=authority, serial=self._fresh("serial"), not_after_ms=1)
            for authority in (pb.CERTIFICATE_AUTHORITY_GRPC, pb.CERTIFICATE_AUTHORITY_NETWORK)
        )

    def _fresh(self, what: str) -> str:
        return f"{what}-{self._life}-{next(self._numbers)}"


def _bindings(state: State) -> dict[str, str]:
    return {node_id: binding.address for node_id, binding in state.addresses.by_node.items()}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


async def main() -> None:
    """Open the folder's log, and drive a replica on it."""
    log = eventlog.open(sys.argv[1])
    replica = Replica(LocalLog(log, SystemClock()), SystemClock())
    replica.start()
    rng = random.Random(f"{sys.argv[2]} {log.epoch}")  # noqa: S311 - a test's choices
    await Driver(replica, log.epoch, rng).run()


if __name__ == "__main__":
    asyncio.run(main())
