"""Links to the real program: what they mean for its gRPC answers, and what a crash leaves."""

import asyncio
import socket
import ssl
import time

from nc.client.link_report import read_link_report
from tests.e2e.deployment import Deploy, Deployment, Node
from tests.e2e.e2e_process import read_events
from tests.support.link_client import Closed, Identity, LinkClient, packet

CONNECTED, INIT, IDLE = 3, 1, -1
PATIENCE_S = 60.0


def context(node: Node) -> ssl.SSLContext:
    """The node's identity on the link port."""
    tls = node.network_tls
    assert tls.key is not None
    assert tls.certificate is not None
    return Identity(tls.ca, tls.key, tls.certificate).context()


async def connect(deployment: Deployment, node: Node) -> tuple[LinkClient, str]:
    client = await LinkClient.connect(deployment.server.link_port, node.token, context(node))
    return client, await client.hand_shake()


def state(deployment: Deployment, node: Node) -> tuple[int, str]:
    """What CheckConnState says."""
    response = deployment.admin.call("CheckConnState", {"token": node.token}).response
    return response["connState"], response.get("bindIp", "")


async def test_the_answers_follow_the_link(deploy: Deploy) -> None:
    """IDLE, INIT, CONNECTED and the address, as clients of the control port see them."""
    with deploy() as deployment:
        node, other = deployment.register(), deployment.register()
        assert state(deployment, node) == (IDLE, "")
        client = await LinkClient.connect(deployment.server.link_port, node.token, context(node))
        while state(deployment, node) != (INIT, ""):
            pass
        assert await client.hand_shake() == "10.1.1.3/24"
        assert state(deployment, node) == (CONNECTED, "10.1.1.3")
        asked = deployment.admin.call("GetRegistedIp", {"token": node.token})
        assert asked.response["ip"] == "10.1.1.3"
        peer, _ = await connect(deployment, other)
        content = packet("10.1.1.3", "10.1.1.5", bytes(range(256)))
        client.send(content)
        assert await peer.packet() == content
        answer = deployment.admin.call("UnRegister", {"token": node.token})
        assert answer.response["result"] is True
        closed = await client.end()
        assert (closed.code, closed.reason) == (1008, "the node was unregistered")
        deployment.server.stop()
        assert (await peer.end()).code == 1001
        for link in (client, peer):
            await link.vanish()


async def test_a_crash_leaves_nobody_connected(deploy: Deploy) -> None:
    """SIGKILL: the next start records IDLE for whoever was not, and gives the same addresses."""
    with deploy() as before:
        nodes = [before.register() for _ in range(3)]
        clients = [await connect(before, node) for node in nodes[:2]]
        before.server.kill()
        ends = [await client.end() for client, _ in clients]
        assert {end.code for end in ends} == {Closed(1006).code}
    with deploy() as after:
        for node, (_, address) in zip(nodes, clients, strict=False):
            assert state(after, node) == (IDLE, address.partition("/")[0])
        again, address = await connect(after, nodes[1])
        assert address == clients[1][1]
        reasons = [
            event["reason"] for event in after.server.events() if event["type"] == "StateChanged"
        ]
        assert reasons[4:6] == ["replica_restarted"] * 2
        for client in (again, *(client for client, _ in clients)):
            await client.vanish()
    assert read_events(after.server.data_dir)[-1]["type"] == "ReplicaStopped"
    assert {line["event"] for line in after.server.log_lines()} >= {"link.opened", "link.closed"}


def test_links_are_in_order_in_the_log(deploy: Deploy) -> None:
    """Accepted, bound and connected in one entry of the link's own, with its id as request id."""
    with deploy("--plaintext") as deployment:
        node = deployment.register()

        async def live() -> None:
            client = await LinkClient.connect(deployment.server.link_port, node.token)
            await client.hand_shake()
            await client.vanish()

        asyncio.run(live())
        deployment.server.stop()
    events = [e for e in read_events(deployment.server.data_dir) if e["method"] == "link"]
    kinds = [event["type"] for event in events]
    assert kinds[:3] == ["StateChanged", "AddressBound", "StateChanged"]
    assert events[1]["recorded_at_ns"] == events[2]["recorded_at_ns"]
    node_ids = {event["node_id"] for event in events}
    assert {event["actor"] for event in events} == {f"link:{i}" for i in node_ids}
    link_ids = {event["link_id"] for event in events if "link_id" in event}
    assert {event["request_id"] for event in events} == link_ids
    assert len(link_ids) == 1


def test_whoever_scans_the_link_port_is_counted_and_no_error(deploy: Deploy) -> None:
    """Noise, silence and leaving instead of TLS: no line says `error`, the count says how many."""
    with deploy() as deployment:
        where = ("127.0.0.1", deployment.server.link_port)
        noises = (b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n", bytes(500))
        for noise in 2 * noises:
            with socket.create_connection(where) as stranger:
                stranger.sendall(noise)
        told = deployment.server.data_dir / "links.sock"
        deadline = time.monotonic() + PATIENCE_S
        while (
            read_link_report(told)["turned_away"] < 2 * len(noises) and time.monotonic() < deadline
        ):
            time.sleep(0.01)
        assert read_link_report(told)["turned_away"] == 2 * len(noises)
        lines = deployment.server.log_lines()
    assert [line for line in lines if line["level"] not in {"info", "warning"}] == []
