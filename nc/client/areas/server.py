"""`client.server`: how the server is, and the links that it holds."""

from typing import Final

from nc.client.arguments import checked
from nc.client.calls import Area, Items
from nc.client.convert import convert, uint32
from nc.client.reports import ServerStatus
from nc.client.types import NodeLink, PeerServer
from nc.pb.admin.v1 import status_pb2

PAGE_SIZE: Final = 1000


class Server(Area):
    @checked
    async def status(self) -> ServerStatus:
        answer = await self._calls.read("Server.Status", status_pb2.StatusRequest())
        return convert(ServerStatus, answer)

    @checked
    def links(self, *, page_size: int = PAGE_SIZE) -> Items[NodeLink]:
        """The links that the server holds, with their counters."""
        request = status_pb2.LinksRequest(page_size=uint32("page_size", page_size))
        return self._calls.pages(
            "Server.Links", request, lambda page: [convert(NodeLink, link) for link in page.links]
        )

    @checked
    async def dropped(self) -> dict[str, int]:
        """The packets that the server dropped, by reason."""
        answer = await self._calls.read("Server.Links", status_pb2.LinksRequest(page_size=1))
        return dict(answer.dropped)

    @checked
    async def peers(self) -> list[PeerServer]:
        """The other servers of the network, and the packets exchanged with them."""
        answer = await self._calls.read("Server.Links", status_pb2.LinksRequest(page_size=1))
        return [convert(PeerServer, peer) for peer in answer.peers]
