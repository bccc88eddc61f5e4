"""A server whose log is in a stream of NATS: what it keeps, and what it refuses."""

import asyncio
import contextlib
import shutil
from pathlib import Path
from typing import Any, cast

import pytest

from eventlog import LogReader, LogRewound, jetstream
from eventlog.jetstream import moving, publishing
from nc.client.channel import Channel
from nc.client.errors import CallFailed
from nc.clock import SystemClock
from nc.data_folder import DataFolder, DataFolderError, DataLost
from nc.domain.leadership import LoseReplica
from nc.domain.replicas import StartReplica, StopReplica
from nc.pb import network_controller_pb2 as pb
from nc.replica.batch import Origin
from nc.replica.errors import Replaced
from nc.replica.leases import NS
from nc.replica.shared import SharedReplica
from nc.rpc.admin.server import ServerFacts
from nc.text import moment
from tests.support.link_client import Closed
from tests.support.link_cluster import CONNECTED, cluster, logged_events
from tests.support.nats_servers import NatsServer, address_of, nats_server
from tests.support.operators import Refused, operator
from tests.support.whole_server import PATIENCE_S, Lines, WholeServer, admin, running, until

pytestmark = [  # the client of NATS leaves sockets of servers that are gone to the collector
    pytest.mark.usefixtures("forgotten_sockets"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

ISSUE = pb.GetBootStrapTokenRequest(expireTime=-1)


@pytest.fixture
def on_stream(nats: NatsServer, request: pytest.FixtureRequest) -> dict[str, Any]:
    """The settings of a server on a stream of this test's own."""
    stream = f"s{abs(hash(request.node.nodeid))}"
    return settings_of(nats, stream)


def settings_of(nats: NatsServer, stream: str) -> dict[str, Any]:
    return {"cluster": address_of(nats, stream=stream), "cluster_replicas": 1}


async def issue(client: Channel) -> str:
    """The code of an answer that changes something."""
    return str((await client.call("GetBootStrapToken", ISSUE)).code)


async def degraded(server: WholeServer) -> list[str]:
    facts: ServerFacts = await server.server.admin.server.facts()
    return list(facts.degraded)


async def test_the_log_is_in_the_stream_and_the_folder_has_a_copy(
    data_dir: Path, on_stream: dict[str, Any], tmp_path: Path
) -> None:
    """After a restart the state is the same; the copy is as good as a log, and may be removed."""
    lines = Lines()
    async with running(data_dir, lines=lines, **on_stream) as server, admin(server) as client:
        assert await issue(client) == "200"
        assert await degraded(server) == []
        tokens = set(server.replica.state.tokens)
    assert len(lines.named("log.stream_made")) == 1
    folder = DataFolder(data_dir)
    kinds = [event.WhichOneof("kind") for event in logged_events(folder.log)]
    assert kinds[:2] == ["leader_elected", "replica_started"]
    assert kinds[-1] == "replica_stopped"
    head = LogReader(folder.log).head
    shutil.rmtree(folder.log)
    lines.clear()
    async with running(data_dir, lines=lines, **on_stream) as server:
        assert set(server.replica.state.tokens) == tokens
        assert not lines.named("log.stream_made")
    log = await jetstream.open(on_stream["cluster"], tmp_path / "other", only_reads=True)
    assert log.head == LogReader(folder.log).head != head
    await log.close()


async def test_a_lost_server_and_what_changes_wait_for_are_degraded(
    data_dir: Path, on_stream: dict[str, Any]
) -> None:
    """By name and since when, for programs too, until it is removed; a stopped one is in order.

    So is a server that is out of touch with the others, which answers that alone.
    """
    async with running(data_dir, **on_stream) as server, operator(server) as caller:
        origin = Origin("system", "test", "r")
        for replica_id, end in (("c-1", LoseReplica("s")), ("d-1", StopReplica("d-1", "s"))):
            start = StartReplica(replica_id, "1", "10.1.1.1/24", session="s")
            for command in (start, end):
                await server.replica.submit(command, origin)
        status = await caller.call("Server/Status")
        (lost,), (sentence,) = status.lost_replicas, status.degraded
        assert lost.id == "c-1" in sentence
        assert moment(lost.since_ms) in sentence
        await caller.call("Replicas/Remove", replica="c-1")
        status = await caller.call("Server/Status")
        assert (list(status.lost_replicas), list(status.degraded)) == ([], [])
        assert server.server.membership is not None
        role = server.server.membership.role
        role.stop()
        role.touch._lost_ns = SystemClock().monotonic_ns() - 60 * NS
        status = await caller.call("Server/Status")
        assert status.now_ms - status.out_of_touch_since_ms >= 60_000
        assert moment(status.out_of_touch_since_ms) in status.degraded[0]
        with pytest.raises(Refused, match="not in touch with the others"):
            await caller.call("Nodes/List")
        replica = cast(SharedReplica, server.replica)
        assert replica.takes_changes
        replica.leader_lacks = "a majority"  # as the leader says to its followers
        assert not replica.takes_changes


async def test_a_log_is_taken_to_a_stream_and_back(
    data_dir: Path, on_stream: dict[str, Any]
) -> None:
    """The state goes with it; where the log is not, no server starts, and it says what to do."""
    address = jetstream.StreamAddress.parse(on_stream["cluster"])
    folder = DataFolder(data_dir)
    async with running(data_dir) as server, admin(server) as client:
        assert await issue(client) == "200"
        tokens = set(server.replica.state.tokens)
    with pytest.raises(DataFolderError, match=r"log of its own.*log move"):
        async with running(data_dir, **on_stream):
            pass
    await moving.to_stream(folder.log, address, replicas=1, progress=lambda *_: None)
    with pytest.raises(DataFolderError, match=r"copy of the log in nats://.*--cluster"):
        async with running(data_dir):
            pass
    async with running(data_dir, **on_stream) as server, admin(server) as client:
        assert set(server.replica.state.tokens) == tokens
        assert await issue(client) == "200"
        tokens = set(server.replica.state.tokens)
    await moving.to_folder(address, folder.log, str(folder.log))
    async with running(data_dir) as server:
        assert set(server.replica.state.tokens) == tokens


async def test_an_outage_of_the_servers_loses_no_link_and_no_answer(
    data_dir: Path, tmp_path: Path
) -> None:
    """Changes are answered 500 and queries go on; packets flow; new links come when it is over."""
    with nats_server(tmp_path / "nats") as nats:
        async with cluster(data_dir, **settings_of(nats, "outage")) as here:
            old, waiting = await here.enrol(), await here.enrol()
            link, address = await here.connect(old)
            await until(lambda: not here.server.hub.tasks)  # what machines they are is recorded
            log = here.replica._log
            assert isinstance(log, jetstream.JetStreamLog)
            patience_s, log.busy_after_s = log.busy_after_s, 0.2
            nats.kill()
            assert await issue(here.client) == "500"
            await until(lambda: not here.replica.is_writable)
            sentences = await degraded(here.server)
            assert any("NATS" in each or "servers that keep" in each for each in sentences)
            (line,) = here.lines.named("log.busy")
            assert line["reason"]  # of which a busy machine may know no more than that
            state = pb.CheckConnStateRequest(token=old.token)
            assert (await here.client.call("CheckConnState", state)).code == "200"
            refused = await here.open(waiting)
            with pytest.raises(Closed) as closed:
                await refused.hand_shake()
            assert closed.value.code == 1013
            nats.start(nats.monitor)
            nats.wait()
            log.busy_after_s = patience_s
            await until(lambda: here.replica.is_writable)
            assert await issue(here.client) == "200"
            await here.connect(waiting)
            assert (here.state(old), here.state(waiting)) == (CONNECTED, CONNECTED)
            assert [move for move, _ in here.moves(old)] == ["INIT", "CONNECTED"]
            assert address
            assert await degraded(here.server) == []
            del link


async def test_a_server_without_its_keys_does_not_start_on_a_log_that_has_events(
    data_dir: Path, on_stream: dict[str, Any]
) -> None:
    """Keys and CAs are in the folder alone: another machine needs them, and no stream has them."""
    async with running(data_dir, **on_stream):
        pass
    for lost in ("secret.key", "pki"):
        path = data_dir / lost
        path.rename(data_dir.with_name("away"))
        with pytest.raises(DataLost, match=r"not a first start.*nats://"):
            async with running(data_dir, **on_stream):
                pass
        data_dir.with_name("away").rename(path)
    async with running(data_dir, **on_stream):
        pass


async def test_a_stream_that_is_gone_is_made_anew_only_on_request(
    data_dir: Path, nats: NatsServer
) -> None:
    """The servers may have been reached under another name: nothing is begun over an old folder."""
    async with running(data_dir, **settings_of(nats, "right")):
        pass
    wrong = settings_of(nats, "wrong")
    with pytest.raises(DataLost, match=r"the stream nats://.*/wrong is missing"):
        async with running(data_dir, **wrong):
            pass
    async with running(data_dir, new_cluster=True, **wrong) as server:
        assert server.replica.state.seq < 10
    async with running(data_dir, **wrong):
        pass


async def test_of_two_servers_on_one_stream_the_older_one_ends(
    data_dir: Path, tmp_path: Path, on_stream: dict[str, Any]
) -> None:
    """At once, without a command of its own; the newer one goes on."""
    async with running(data_dir, **on_stream):
        pass
    shutil.copytree(data_dir, tmp_path / "second", ignore=shutil.ignore_patterns("log", "*.sock"))
    lines, runs = Lines(), asyncio.Event()

    async def older() -> None:
        async with running(data_dir, lines=lines, **on_stream):
            runs.set()
            await asyncio.Event().wait()  # it is cancelled

    old = asyncio.create_task(older())
    await until(lambda: runs.is_set() or old.done())
    async with running(tmp_path / "second", **on_stream) as new, admin(new) as client:
        assert await issue(client) == "200"
        with pytest.raises(Replaced):
            await asyncio.wait_for(old, PATIENCE_S)
        assert await issue(client) == "200"
    (line,) = lines.named("log.unavailable")
    assert "another server" in line["message"]


async def test_a_stream_that_lost_events_ends_the_server(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Put back from an older copy: the server ends and says so, and does not start on it either."""
    monkeypatch.setattr(publishing, "_REWOUND_AFTER_S", 0.0)
    monkeypatch.setattr(jetstream.log, "BUSY_AFTER_S", 0.0)
    monkeypatch.setattr(jetstream.tail, "_PATIENCE_S", 0.0)
    lines, store = Lines(), tmp_path / "old"
    with nats_server(tmp_path / "nats") as nats:
        on_it = settings_of(nats, "rewound")

        async def put_back() -> None:
            async with running(data_dir, lines=lines, **on_it) as server, admin(server) as client:
                nats.kill()
                shutil.copytree(nats.store, store)
                nats.start(nats.monitor)
                nats.wait()
                while await issue(client) != "200":
                    pass
                nats.kill()
                nats.forget()
                shutil.copytree(store, nats.store)
                nats.start(nats.monitor)
                nats.wait()
                async with asyncio.timeout(PATIENCE_S):
                    while server.replica.failure is None:
                        with contextlib.suppress(CallFailed):  # it may end meanwhile
                            await issue(client)
                await asyncio.Event().wait()  # it is cancelled

        with pytest.raises(LogRewound):
            await put_back()
        assert "put back" in str(lines.named("log.unavailable"))
        with pytest.raises(LogRewound, match="put back from an older copy"):
            async with running(data_dir, **on_it):
                pass


async def test_a_damaged_copy_is_named_as_one(data_dir: Path, on_stream: dict[str, Any]) -> None:
    """It is not repaired but made again, without loss."""
    async with running(data_dir, **on_stream):
        pass
    log = DataFolder(data_dir).log
    (segment,) = log.glob("*.seg")
    for snapshot in log.glob("*.snapshot"):
        snapshot.unlink()
    with segment.open("r+b") as file:
        file.seek(200)
        file.write(b"\xff" * 8)
    with pytest.raises(DataFolderError, match="move it away, and it is made again"):
        async with running(data_dir, **on_stream):
            pass
    log.rename(data_dir / "damaged-copy")
    async with running(data_dir, **on_stream) as server:
        assert server.replica.state.seq > 3
