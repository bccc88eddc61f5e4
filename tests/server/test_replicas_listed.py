"""What is said of servers that have ended."""

from pathlib import Path

from nc.domain.leadership import LoseReplica
from nc.domain.replicas import StartReplica
from nc.pb.admin.v1 import replicas_pb2 as pb
from nc.replica.batch import Origin
from tests.support.operators import operator
from tests.support.whole_server import LOOPBACK, running


async def test_every_name_that_a_server_is_advertised_by_is_shown(data_dir: Path) -> None:
    """In the order given; the first one has its own field, for clients that know no other."""
    names = (LOOPBACK, "server.example")
    async with running(data_dir, advertise=names) as server, operator(server) as caller:
        status = await caller.call("Server/Status")
    assert (status.advertised, tuple(status.advertised_names)) == (LOOPBACK, names)


async def test_a_server_that_was_lost_is_listed_as_lost(data_dir: Path) -> None:
    """Since when, too; clients that do not know the word see one that is stopped, as before."""
    async with running(data_dir) as server, operator(server) as caller:
        start = StartReplica("c", "1", "10.1.1.1/24", session="of c")
        for command in (start, LoseReplica("of c")):
            await server.replica.submit(command, Origin("system", "test", "r"))
        (lost,) = (e for e in (await caller.call("Replicas/List")).replicas if e.id == "c")
        assert (lost.state, lost.lost) == (pb.REPLICA_STATE_STOPPED, True)
        assert lost.ended_ms >= lost.since_ms > 0
