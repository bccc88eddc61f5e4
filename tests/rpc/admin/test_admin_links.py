"""What nc.admin.v1 shows of linked nodes, and does to them."""

from pathlib import Path

import pytest

from nc.pb.admin.v1 import nodes_pb2 as pb
from tests.support.link_client import Closed
from tests.support.link_cluster import IDLE, cluster
from tests.support.operators import operator


async def test_a_link_is_shown_and_ended_for_another_address(data_dir: Path) -> None:
    """State, counters and links of a node; with another address it has to connect again."""
    async with cluster(data_dir) as here, operator(here.server) as admin:
        machine = await here.enrol()
        client, address = await here.connect(machine)
        node = await admin.call("Nodes/Get", node=address)
        assert (node.id, node.state, node.links) == (machine.node_id, pb.NODE_STATE_CONNECTED, 1)
        assert node.link.peer.startswith("127.0.0.1:")
        assert node.state_since_ms >= node.link.opened_at_ms > 0
        links = await admin.call("Server/Links")
        assert [(each.node_id, each.address) for each in links.links] == [(node.id, address)]
        assert links.links[0].link == node.link
        status = await admin.call("Server/Status")
        assert (status.nodes_connected, status.nodes_idle, status.addresses_bound) == (1, 0, 1)
        moved = await admin.call("Nodes/AssignAddress", node=node.id, address="10.1.1.99")
        assert (moved.address, moved.address_assigned) == ("10.1.1.99", True)
        with pytest.raises(Closed, match="1001: the node has another address"):
            await client.packet()
        await here.becomes(machine, IDLE)
        again, address = await here.connect(machine)
        assert address == "10.1.1.99"
        await admin.call("Nodes/Unregister", nodes=["10.1.1.99"])
        with pytest.raises(Closed, match="unregistered"):
            await again.packet()
