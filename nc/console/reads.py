"""What the page asks for beside the feed: how things are now, and what the server explains."""

from datetime import UTC, datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.routing import Route

from nc.client.client import AsyncClient
from nc.client.types import NodeOrder, Role
from nc.console.answers import answering, number

_MOST_CERTIFICATES: Final = 200

# No certificate ends that early: of a past state, only what is not a node is wanted.
_BEFORE_ALL: Final = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)


class Reads:
    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    def routes(self) -> list[Route]:
        handlers = {
            "me": self.me,
            "status": self.status,
            "servers": self.servers,
            "tokens": self.tokens,
            "certificates": self.certificates,
            "links": self.links,
            "node": self.node,
            "why": self.why,
            "changes": self.changes,
        }
        return [
            Route(f"/api/{name}", answering(handler), methods=["GET"])
            for name, handler in handlers.items()
        ]

    async def me(self, _request: Request) -> dict[str, Any]:
        """Who this is to the server, and whether it may change anything."""
        administrators = await self._client.administrators.list()
        own = next((each for each in administrators if each.self), None)
        context = self._client.context
        return {
            "name": own.name if own else "",
            "role": own.role if own else Role.ADMIN,  # a server without certificates has no roles
            "server": f"{context.host}:{context.port}",
        }

    async def status(self, _request: Request) -> Any:
        return await self._client.server.status()

    async def servers(self, _request: Request) -> Any:
        """Those that share the log."""
        return await self._client.replicas.list()

    async def tokens(self, request: Request) -> list[Any]:
        """Bootstrap tokens: all that are remembered now, or those as of an event."""
        if "seq" in request.query_params:
            past = await self._client.history.at(
                number(request, "seq"), {"unrenewable_until": _BEFORE_ALL}
            )
            return list(past.tokens)
        return [token async for token in self._client.tokens.list(all=True)]

    async def certificates(self, _request: Request) -> dict[str, Any]:
        """The server's, operators', and those of nodes that end first."""
        status = await self._client.server.status()
        nodes = []
        page = self._client.nodes.list(
            order=NodeOrder.CERTIFICATES_END, page_size=_MOST_CERTIFICATES
        )
        async for node in page:
            nodes.append(node)
            if len(nodes) == _MOST_CERTIFICATES:
                break
        return {
            "server": status.certificates,
            "administrators": await self._client.administrators.list(all=True),
            "nodes": nodes,
            "unrenewable_nodes": status.unrenewable_nodes,
        }

    async def links(self, _request: Request) -> dict[str, Any]:
        links = [link async for link in self._client.server.links()]
        return {"links": links, "dropped": await self._client.server.dropped()}

    async def node(self, request: Request) -> Any:
        return await self._client.nodes.get(request.query_params.get("node", ""))

    async def why(self, request: Request) -> dict[str, Any]:
        """How a node came to its state, in words; the earliest first."""
        found = await self._client.history.why(
            request.query_params.get("node", ""), number(request, "seq")
        )
        reasons = [
            {
                "seq": reason.event.seq,
                "time_ms": reason.event.recorded_at_ns // 1_000_000,
                "sentence": reason.sentence,
                "actor": reason.event.actor,
            }
            for reason in found.reasons
        ]
        return {"reasons": reasons, "left_out": found.left_out}

    async def changes(self, request: Request) -> Any:
        """What changed between two events, of everything that is no node."""
        found = await self._client.history.diff(number(request, "from"), number(request, "to"))
        return [each for each in found.differences if each.subject != "node"]
