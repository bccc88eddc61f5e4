"""A hub whose leader is of an older version, which records a start that it was asked for again."""

import pytest

from nc.domain import decide as decisions
from nc.domain.decide import Command
from nc.domain.events import Event
from nc.domain.replica_addresses import BindReplicaAddress
from nc.domain.replicas import StartReplica
from nc.domain.state import State
from nc.net import wire
from tests.support.link_client import packet
from tests.support.mesh_hubs import NETWORK, mesh_hubs
from tests.support.older_leader import started_again
from tests.support.whole_server import until


def _of_an_older_version(state: State, command: Command) -> list[Event]:
    assert isinstance(command, StartReplica)
    return started_again(state, command.session, str(NETWORK))


async def test_nodes_lose_their_links_once_and_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same address; the other hub's nodes notice nothing, and the two hubs stay a mesh."""
    async with mesh_hubs(2) as here:
        older, today = here.hubs
        token = await here.register("node")
        link, address = await here.link(today, token)
        other, other_address = await here.link(older, await here.register("other"))
        with monkeypatch.context() as patch:
            patch.setitem(decisions.DECISIONS, StartReplica, _of_an_older_version)
            start = StartReplica("r1", "0", str(NETWORK), session=today.session)
            await older.submit(start)
        ended = await link.end()
        assert (ended.code, ended.reason) == (1001, wire.SERVER_STARTED.reason)
        await here.caught_up()
        await older.submit(BindReplicaAddress(today.session))  # as who leads does at its next look
        again, same = await here.link(today, token)
        await until(lambda: len(today.hub.sockets) == 1)
        assert (same, bool(today.own)) == (address, True)
        there, back = packet(address, other_address, b"1"), packet(other_address, address, b"2")
        again.send(there)
        assert await other.packet() == there
        other.send(back)
        assert await again.packet() == back
        seq = today.replica.state.seq
        await today.submit(start)  # today's records nothing
        assert today.replica.state.seq == seq
