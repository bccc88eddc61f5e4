"""A hub and a peer whose session ends, in whichever way; or the task of its connection."""

import asyncio

import pytest

from nc.domain.decide import Command
from nc.domain.invitations import RemoveReplica
from nc.domain.leadership import DropUnowned, LoseReplica
from nc.domain.replicas import StartReplica, StopReplica
from nc.hub import mesh
from nc.net import wire
from tests.support.link_client import LinkClient
from tests.support.mesh_hubs import NETWORK, mesh_hubs
from tests.support.whole_server import PATIENCE_S, until

_ENDS: dict[str, list[Command]] = {
    "stopped": [StopReplica("r1", "session-1")],
    "started again": [StartReplica("r1", "1", str(NETWORK), session="session-2")],
    "lost": [LoseReplica("session-1"), DropUnowned(10)],
    "removed": [RemoveReplica("r1", "r0"), DropUnowned(10)],
}


@pytest.mark.parametrize("how", _ENDS)
async def test_an_older_link_ends_with_the_server_that_has_the_newer_one(how: str) -> None:
    """Before the newer one has its address: the node is linked nowhere then, and tries again."""
    async with mesh_hubs(2) as here:
        one, two = here.hubs
        token = await here.register("node")
        older, _ = await here.link(one, token)
        newer = await LinkClient.connect(two.port, token, None)
        here.links.append(newer)
        await until(lambda: not one.hub.sessions)
        for command in _ENDS[how]:
            await one.submit(command)
        await older.end()
        assert not one.replica.state.links


async def test_nodes_are_told_that_their_server_was_taken_for_lost() -> None:
    """It goes on, so it is not said to stop; the code is a stop's, for agents of any version."""
    async with mesh_hubs(2) as here:
        one, two = here.hubs
        link, _ = await here.link(two, await here.register("node"))
        # In one record: a server that reads that it is lost may read nothing after that.
        await asyncio.gather(*map(one.submit, _ENDS["lost"]))
        ended = await link.end()
        assert (ended.code, ended.reason) == (1001, wire.SERVER_LOST.reason)


async def test_a_server_that_was_removed_is_no_peer_any_more() -> None:
    """Whatever the leader names: its packets are taken no more, and it is not admitted again."""
    async with mesh_hubs(2) as here:
        one = here[0]
        await one.submit(RemoveReplica("r1", "r0"))
        await until(lambda: not one.mesh.open and not one.mesh.accepted)
        assert one.mesh.nodes.ports == {}


async def test_a_bug_in_a_connections_task_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends the mesh, and with it the server: the peer would be out of reach for ever."""

    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    async with mesh_hubs(2) as here:
        running = here[0].hub._mesh_task
        assert running is not None
        monkeypatch.setattr(mesh, "open_peer_link", broken)
        (link,) = here[0].mesh.open.values()
        link.end("so that it is opened again")
        await asyncio.wait([running], timeout=PATIENCE_S)
        assert isinstance(running.exception(), ZeroDivisionError)
