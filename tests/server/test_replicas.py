"""Several servers on one stream of NATS: one leads, the others follow, and one may die."""

import asyncio
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import grpc
import pytest

from nc.cli.pasted import read_join_line
from nc.client.channel import Channel
from nc.client.convert import convert
from nc.client.errors import CallFailed
from nc.client.tls import ClientTls
from nc.client.types import IssuedToken
from nc.data_folder import DataFolder
from nc.domain.links import link_of
from nc.metrics.families import replica_role
from nc.net import wire
from nc.pb import network_controller_pb2 as pb
from nc.pb.admin.v1.nodes_pb2 import TakeBackRequest
from nc.pki.certificates import NODE_ORGANIZATION
from nc.replica.peers import Peer
from tests.support.link_client import Identity, NoUpgrade
from tests.support.link_cluster import CONNECTED, Cluster, Machine, cluster
from tests.support.nats_servers import NatsServer, address_of
from tests.support.operators import operator
from tests.support.server_process import LOOPBACK, ServerProcess
from tests.support.whole_server import PATIENCE_S, WholeServer, admin, running, until

pytestmark = [
    pytest.mark.usefixtures("forgotten_sockets"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

ISSUE = pb.GetBootStrapTokenRequest(expireTime=-1)


@pytest.fixture
def on_stream(nats: NatsServer, request: pytest.FixtureRequest) -> dict[str, Any]:
    stream = f"r{abs(hash(request.node.nodeid))}"
    return {"cluster": address_of(nats, stream=stream), "cluster_replicas": 1}


def share_secrets(source: Path, *others: Path) -> None:
    """What an operator mounts or copies: the key, and both CAs with what they signed."""
    for folder in others:
        folder.mkdir()
        shutil.copy(source / "secret.key", folder)
        shutil.copytree(source / "pki", folder / "pki")


class Processes:
    """Servers in processes of their own, in folders `a`, `b` and `c`."""

    def __init__(self, folder: Path, cluster_address: str) -> None:
        self._folder = folder
        self._arguments = ("--cluster", cluster_address, "--cluster-replicas", "1")
        self._stack = ExitStack()
        self.running: dict[str, ServerProcess] = {}

    def start(self, name: str) -> ServerProcess:
        server = ServerProcess(self._folder / name, *self._arguments)
        self.running[name] = self._stack.enter_context(server)
        return server

    def start_all(self, *names: str) -> None:
        first, *others = names
        self.start(first)
        share_secrets(self._folder / first, *(self._folder / name for name in others))
        for name in others:
            self.start(name)

    def kill(self, name: str) -> None:
        self.running.pop(name).kill()

    def leader(self) -> str:
        """The one that was elected last."""
        elected = {
            line["epoch"]: name
            for name, server in self.running.items()
            for line in server.logged("leader.elected")
            if line["is_own"]
        }
        return elected[max(elected)]

    def client(self, name: str) -> Channel:
        folder = self._folder / name / "pki" / "grpc"
        pems = ((folder / f"{n}.pem").read_bytes() for n in ("ca", "client-key", "client"))
        return Channel(LOOPBACK, self.running[name].control_port, ClientTls(*pems))

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def processes(tmp_path: Path, on_stream: dict[str, Any]) -> Iterator[Processes]:
    made = Processes(tmp_path, on_stream["cluster"])
    yield made
    made.close()


async def insist(client: Channel, method: str, request: Any) -> Any:
    """Call until there is an answer that says OK; a call may be refused while nobody leads."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                response = await client.call(method, request)
            except CallFailed as error:
                if error.code is not grpc.StatusCode.UNAVAILABLE:
                    raise
            else:
                if response.code == "200":
                    return response
                assert response.code == "500", response.message
            await asyncio.sleep(0.05)


async def registered(client: Channel) -> str:
    """A new node's token."""
    bootstrap = (await insist(client, "GetBootStrapToken", ISSUE)).bootStrapToken
    node = await insist(client, "GetToken", pb.GetTokenRequest(bootStrapToken=bootstrap))
    return str(node.token)


async def state_of(client: Channel, token: str) -> str:
    return str((await insist(client, "CheckConnState", ask(token))).connState)


def ask(token: str) -> pb.CheckConnStateRequest:
    return pb.CheckConnStateRequest(token=token)


async def test_the_second_server_goes_on_when_the_first_is_killed(
    processes: Processes, tmp_path: Path
) -> None:
    """What was acknowledged by either is answered by the other at once, and by the second alone.

    That the first was lost is said when it is, and by no server that starts later.
    """
    processes.start_all("a", "b")
    async with processes.client("a") as first, processes.client("b") as second:
        tokens = [await registered(second), await registered(first)]
        for token in tokens:
            for client in (first, second):  # no second try: an answer is never older
                response = await client.call("CheckConnState", ask(token))
                assert response.code == "200"
        processes.kill("a")
        tokens.append(await registered(second))
        for token in tokens:
            await state_of(second, token)
        lost = await asyncio.to_thread(processes.running["b"].wait_for, "replica.lost")
        assert lost["replica"] == DataFolder(tmp_path / "a").replica_name.read_text().strip()
    assert processes.leader() == "b"
    processes.start("a")
    assert processes.running["a"].logged("replica.lost") == []


@pytest.mark.long
async def test_each_of_three_may_be_killed(processes: Processes) -> None:
    """Again and again the leader, and then a follower; nothing that was acknowledged is lost."""
    processes.start_all("a", "b", "c")
    tokens: list[str] = []
    for victim in ("leader", "follower") * 3:
        leader = processes.leader()
        name = leader
        if victim == "follower":
            name = next(each for each in processes.running if each != leader)
        async with processes.client(name) as client:
            tokens.append(await registered(client))
        processes.kill(name)
        for other in processes.running:
            async with processes.client(other) as client:
                for token in tokens:
                    await state_of(client, token)
                tokens.append(await registered(client))
        processes.start(name)


def role_metrics(server: WholeServer) -> dict[str, float]:
    families = replica_role(server.server.metrics_sources().role)
    return {family.name: family.samples[0].value for family in families}


def peers_of(server: WholeServer) -> Mapping[str, Peer]:
    assert server.server.membership is not None
    return server.server.membership.peers.peers()


def unknown_machine(here: Cluster) -> Machine:
    """One that joined after the backup that was put back."""
    authority, token = here.server.certificates.network.authority, "0123456789abcdef"
    node_id = here.token_ids.id_of(token)
    issued = authority.issue_client(node_id, NODE_ORGANIZATION, datetime.now(UTC), 1234)
    pems = (authority.certificate_pem, issued.key_pem, issued.certificate_pem)
    return Machine(token, node_id, Identity(*(pem.decode() for pem in pems)).context())


async def comes_back(here: Cluster, leader: WholeServer) -> None:
    """A node waits at a follower, and is taken back at the leader."""
    lost, held = unknown_machine(here), f"{wire.HELD_PREFIX}10.1.1.77"
    with pytest.raises(NoUpgrade, match="ncadm take-back"):
        await here.open(lost, **{wire.SUBPROTOCOL_HEADER: held})
    async with admin(leader) as at_leader:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                answer = await at_leader.call("TakeBack", TakeBackRequest())
                if lost.node_id in answer.waiting_ids:
                    (waits,) = answer.waiting
                    assert (waits.address, waits.peer_address) == ("10.1.1.77", LOOPBACK)
                    break
                await asyncio.sleep(0.05)
        answer = await at_leader.call("TakeBack", TakeBackRequest(all_waiting=True))
    assert list(answer.node_ids) == [lost.node_id]
    waiting = leader.server.metrics_sources().waiting
    assert waiting.addresses == {"10.1.1.77"}
    await until(lambda: lost.node_id in here.replica.state.nodes)
    _, address = await here.connect(lost)
    assert address == "10.1.1.77"
    await until(lambda: not waiting.addresses)


def targets(here: Cluster) -> list[tuple[object, object]]:
    return [(line["method"], line.get("target_id")) for line in here.lines.named("rpc")]


async def connect(here: Cluster, machine: Machine) -> None:
    """Link a node, as soon as the server is in touch with the leader."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await here.connect(machine)
            except NoUpgrade as refused:
                if refused.status != HTTPStatus.SERVICE_UNAVAILABLE:
                    raise
                await asyncio.sleep(0.05)
            else:
                return


async def test_a_link_at_a_follower_is_every_servers_knowledge(
    data_dir: Path, tmp_path: Path, on_stream: dict[str, Any]
) -> None:
    """The leader records it, with the follower's session; it is dropped when the follower stops.

    Metrics of both say which one leads. A node that the log does not know, and that asks the
    follower, is taken back by the leader, too, with its address.
    """
    async with running(data_dir, **on_stream) as leader:
        share_secrets(data_dir, tmp_path / "second")
        async with cluster(tmp_path / "second", **on_stream) as here:
            machine = await here.enrol()
            await connect(here, machine)
            node_id = machine.node_id
            assert leader.replica.state.leader.session == leader.replica.session
            link = link_of(leader.replica.state.links, node_id)
            assert (link.state, link.session) == (CONNECTED, here.replica.session)
            answers = {"nc_replica_answers": 1, "nc_replica_lag_events": 0, "nc_replicas_lost": 0}
            await until(lambda: role_metrics(leader) == {"nc_replica_leads": 1, **answers})
            await until(lambda: role_metrics(here.server) == {"nc_replica_leads": 0, **answers})
            await until(lambda: list(peers_of(leader)) == [here.replica.session])
            await until(lambda: list(peers_of(here.server)) == [leader.replica.session])
            (peer,) = peers_of(leader).values()
            there, ports = here.server.endpoints, leader.endpoints
            assert peer == (LOOPBACK, there.link_port, there.bootstrap_port)
            async with operator(leader) as at_leader, operator(here.server) as at_follower:
                for asked in (at_leader, at_follower):  # who leads answers, and names both
                    issued = await asked.call("BootstrapTokens/Issue", lifetime_s=60)
                    assert (issued.host, issued.port) == (LOOPBACK, ports.bootstrap_port)
                    (other,) = issued.others
                    assert (other.host, other.port) == (LOOPBACK, there.bootstrap_port)
                    line = read_join_line(convert(IssuedToken, issued).join_command)
                    places = [line.place, *line.others]
                    both = [(LOOPBACK, at.bootstrap_port) for at in (ports, there)]
                    assert [each and (each.host, each.port) for each in places] == both
            gone = await here.enrol()
            await here.unregister(gone)  # the leader does it, and says which node is meant
            meant = ("UnRegister", gone.node_id)
            await until(lambda: meant in targets(here))
            await comes_back(here, leader)
            async with operator(leader) as at_leader:
                listed = (await at_leader.call("Replicas/List")).replicas
            assert {each.self: each.links for each in listed} == {True: 0, False: 2}
        await until(lambda: node_id not in leader.replica.state.links)
