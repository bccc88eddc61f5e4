"""What ends a link, and what both sides are told then."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nc.clock import now_ms
from nc.hub.heartbeat import Heartbeat
from tests.support.link_client import (
    CLOSE,
    HELLO,
    PING,
    Frame,
    LinkClient,
)
from tests.support.link_cluster import CONNECTED, HASTY, IDLE, INIT, cluster, logged_events
from tests.support.whole_server import MovableClock, until


async def test_unregistering_closes_the_link(data_dir: Path) -> None:
    """At once, with the reason; the token opens no link any more, and the address is free."""
    async with cluster(data_dir) as here:
        machine = await here.enrol()
        client, address = await here.connect(machine)
        await here.unregister(machine)
        assert not here.server.hub.sessions  # before the answer
        closed = await client.end()
        assert (closed.code, closed.reason) == (1008, "the node was unregistered")
        refused = await LinkClient.refusal(here.port, machine.token, machine.tls)
        assert (refused.code, refused.reason[:25]) == (1008, "the node was unregistered")
        _, same_address = await here.connect(await here.enrol())
        assert same_address != address  # those that nobody had come first
        assert here.moves(machine)[-1] == ("IDLE", "unregistered")
        opened, ended = (here.lines.named(f"link.{what}")[0] for what in ("opened", "closed"))
        assert ended["node"] == opened["node"] != ""


async def test_a_node_that_is_gone_with_the_record_that_connects_it(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HandOverAddress and Unregister in one batch: the node is told of its end, and no address."""
    async with cluster(data_dir) as here:
        machine = await here.enrol()
        client = await here.open(machine)
        await here.becomes(machine, INIT)
        log: Any = here.server.server._parts.log
        append, gate = log._run_blocking, asyncio.Event()

        async def append_later(function: Callable[[], Any]) -> Any:
            await gate.wait()
            return await append(function)

        monkeypatch.setattr(log, "_run_blocking", append_later)
        waiting = here.replica.queue
        other = asyncio.create_task(here.enrol())
        await until(lambda: len(waiting) == 1)
        client.send(HELLO)
        await until(lambda: len(waiting) == 2)
        gone = asyncio.create_task(here.unregister(machine))
        await until(lambda: len(waiting) == 3)
        gate.set()
        await asyncio.gather(other, gone)
        assert await client.receive() == Frame(
            CLOSE, (1008).to_bytes(2) + b"the node was unregistered"
        )
        assert ("CONNECTED", "address_handed_over") in here.moves(machine)
        assert not here.server.hub.switch.ports


async def test_expiry_closes_the_link(data_dir: Path) -> None:
    """Said for a moment that is past, at once; for one that comes, within a sweep."""
    clock = MovableClock()
    async with cluster(data_dir, clock=clock) as here:
        machine, other = [await here.enrol() for _ in range(2)]
        client, _ = await here.connect(machine)
        await here.expire(machine, 1)
        assert not here.server.hub.sessions
        closed = await client.end()
        assert (closed.code, closed.reason) == (1008, "the node token expired")
        refused = await LinkClient.refusal(here.port, machine.token, machine.tls)
        assert (refused.code, refused.reason[:26]) == (1008, "the node token expired at ")
        await here.expire(machine, 0)
        client, _ = await here.connect(machine)
        other_client, _ = await here.connect(other)
        await here.expire(machine, clock.now_ns() // 1_000_000_000 + 60)
        clock.ahead_ms = 120_000
        assert (await client.end()).code == 1008
        assert here.moves(machine)[-1] == ("IDLE", "expired")
        assert here.state(other) is CONNECTED
        await other_client.vanish()


async def test_a_clean_stop_says_goodbye(data_dir: Path) -> None:
    """Every link is closed with 1001, a handshake too; ReplicaStopped is the last event."""
    async with cluster(data_dir) as here:
        machines = [await here.enrol() for _ in range(3)]
        clients = [(await here.connect(machine))[0] for machine in machines[:2]]
        clients.append(await here.open(machines[2]))
        await here.becomes(machines[2], INIT)
        ends = [asyncio.create_task(client.end()) for client in clients]
    assert {(await end).code for end in ends} == {1001}
    events = logged_events(here.server.folder.log)
    assert events[-1].HasField("replica_stopped")
    for machine in machines:
        assert here.moves(machine)[-1] == ("IDLE", "replica_stopped")
    lines = here.lines.named("link.closed")
    assert {line["reason"] for line in lines} == {"replica_stopped"}


async def test_who_does_not_say_goodbye_does_not_hold_the_stop_up(data_dir: Path) -> None:
    """A client that answers nothing is cut off."""
    async with cluster(data_dir) as here:
        client, _ = await here.connect(await here.enrol())
    assert here.lines.named("server.stopped")
    assert not here.server.hub.sockets
    assert not here.server.hub.tasks
    await client.vanish()


async def test_the_server_asks_for_a_sign_of_life_and_drops_who_gives_none(
    data_dir: Path,
) -> None:
    """Whoever answers a ping stays, whoever pings itself too; who is silent is gone, as such."""
    async with cluster(data_dir, limits=replace(HASTY, silence_timeout_s=0.6)) as here:
        silent, answering, pinging = [await here.enrol() for _ in range(3)]
        mute, _ = await here.connect(silent)
        lively, _ = await here.connect(answering)
        keeper, _ = await here.connect(pinging)
        alive = asyncio.create_task(lively.end())

        async def keep_pinging() -> None:
            while True:
                keeper.send(b"", PING)
                await asyncio.sleep(0.05)

        pings = asyncio.create_task(keep_pinging())
        await here.becomes(silent, IDLE)
        assert here.moves(silent)[-1] == ("IDLE", "link_silent")
        assert (here.state(answering), here.state(pinging)) == (CONNECTED, CONNECTED)
        pings.cancel()
        await here.becomes(pinging, IDLE)
        assert here.state(answering) is CONNECTED
        assert (await mute.receive()).opcode == PING
        assert not alive.done()
    assert (await alive).code == 1001


def test_a_clock_that_is_ahead_for_a_moment_ends_no_link() -> None:
    """A certificate has ended once that has been so for a minute, or the time has really come."""
    clock = MovableClock()
    ended: list[Any] = []
    link = SimpleNamespace(heard=True, idle_ticks=0, ends_at_ms=now_ms(clock) + 1_000_000)
    hub: Any = SimpleNamespace(sessions={"link": link}, on_certificate_ended=ended.append)
    heartbeat = Heartbeat(hub, clock, 60.0)
    for clock.stepped_ms in (400 * 86_400_000, 0):
        heartbeat.check("link")
    assert ended == []
    clock.stepped_ms = 400 * 86_400_000
    heartbeat.check("link")
    clock.ahead_ms = 61_000
    heartbeat.check("link")
    assert ended == [link]
