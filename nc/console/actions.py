"""What an administrator changes through the console; the server decides who may.

An action is a model of what the page sends, with the call that it makes.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.routing import Route

from nc.client.client import AsyncClient
from nc.client.types import Role
from nc.console.answers import BadRequest, answering
from nc.contract import LARGEST_UINT32

_LONGEST_BODY: Final = 64 * 1024
_LAST_MS: Final = 253_402_300_799_999  # the year 9999


class Action(BaseModel):
    """One action; `run` gives what the page is told."""

    model_config = ConfigDict(extra="forbid", strict=True)
    name: ClassVar[str]

    async def run(self, client: AsyncClient) -> Any:
        raise NotImplementedError


class IssueToken(Action):
    name: ClassVar = "issue-token"
    lifetime_s: int | None = Field(ge=1)  # null: it never expires
    max_uses: int = Field(default=0, ge=0, le=LARGEST_UINT32)
    max_nodes: int = Field(default=0, ge=0, le=LARGEST_UINT32)
    label: str = ""
    node_labels: dict[str, str] = {}
    node_name_prefix: str = ""

    async def run(self, client: AsyncClient) -> Any:
        issued = await client.tokens.issue(
            lifetime=None if self.lifetime_s is None else timedelta(seconds=self.lifetime_s),
            max_uses=self.max_uses,
            max_nodes=self.max_nodes,
            label=self.label,
            node_labels=self.node_labels,
            node_name_prefix=self.node_name_prefix,
        )
        return {"id": issued.issued.id, "join": issued.join_command}


class RevokeToken(Action):
    name: ClassVar = "revoke-token"
    token: str
    unregister_nodes: bool = False

    async def run(self, client: AsyncClient) -> Any:
        if not self.unregister_nodes:
            return await client.tokens.revoke(self.token)
        gone = await client.nodes.unregister_all_of(self.token, revoke_token=True)
        return {"unregistered": len(gone)}


class UpdateNode(Action):
    """Change a node's name, labels or note; what is absent stays."""

    name: ClassVar = "update-node"
    node: str
    new_name: str | None = None
    note: str | None = None
    set_labels: dict[str, str] = {}
    remove_labels: list[str] = []

    async def run(self, client: AsyncClient) -> Any:
        return await client.nodes.update(
            self.node,
            name=self.new_name,
            note=self.note,
            set_labels=self.set_labels,
            remove_labels=self.remove_labels,
        )


class SetExpiry(Action):
    name: ClassVar = "set-expiry"
    node: str
    expires_at_ms: int | None = Field(ge=1, le=_LAST_MS)  # null: never

    async def run(self, client: AsyncClient) -> Any:
        at_ms = self.expires_at_ms
        at = None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC)
        return await client.nodes.set_expiry(self.node, at)


class UnregisterNode(Action):
    name: ClassVar = "unregister-node"
    node: str

    async def run(self, client: AsyncClient) -> Any:
        return {"unregistered": len(await client.nodes.unregister(self.node))}


class AssignAddress(Action):
    """Give a node an overlay address; "": any, which it has already if it has one."""

    name: ClassVar = "assign-address"
    node: str
    address: str

    async def run(self, client: AsyncClient) -> Any:
        return await client.nodes.assign_address(self.node, self.address)


class IssueAdministrator(Action):
    """Certify an operator's own key, of which the console only sees the request."""

    name: ClassVar = "issue-administrator"
    operator: str
    role: Role
    lifetime_s: int = Field(ge=1)
    csr_pem: str = Field(min_length=1)  # without it the server would make a key, and send it

    async def run(self, client: AsyncClient) -> Any:
        lifetime = timedelta(seconds=self.lifetime_s)
        issued = await client.administrators.issue(
            self.operator, self.role, lifetime=lifetime, csr_pem=self.csr_pem
        )
        return {
            "serial": issued.administrator.serial,
            "certificate": issued.certificate_pem,
            "ca": issued.ca_pem,
        }


class RevokeAdministrator(Action):
    name: ClassVar = "revoke-administrator"
    serial: str

    async def run(self, client: AsyncClient) -> Any:
        return await client.administrators.revoke(self.serial)


ACTIONS: Final[tuple[type[Action], ...]] = (
    IssueToken,
    RevokeToken,
    UpdateNode,
    SetExpiry,
    UnregisterNode,
    AssignAddress,
    IssueAdministrator,
    RevokeAdministrator,
)


def action_routes(client: AsyncClient) -> list[Route]:
    return [_route(client, action) for action in ACTIONS]


def _route(client: AsyncClient, action: type[Action]) -> Route:
    async def handle(request: Request) -> Any:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > _LONGEST_BODY:
                raise BadRequest("this is too long")
        try:
            wanted = action.model_validate_json(body)
        except ValidationError as error:
            raise BadRequest(_sentence(error)) from None
        return await wanted.run(client)

    return Route(f"/api/actions/{action.name}", answering(handle), methods=["POST"])


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"])) or "the request"
    return f"{where}: {first['msg']}"
