"""A hub and a peer whose session ends, in whichever way."""

from nc.domain.invitations import RemoveReplica
from tests.support.mesh_hubs import mesh_hubs
from tests.support.whole_server import until


async def test_a_server_that_was_removed_is_no_peer_any_more() -> None:
    """Whatever the leader names: its packets are taken no more, and it is not admitted again."""
    async with mesh_hubs(2) as here:
        one = here[0]
        await one.submit(RemoveReplica("r1", "r0"))
        await until(lambda: not one.mesh.open and not one.mesh.accepted)
        assert one.mesh.nodes.ports == {}
