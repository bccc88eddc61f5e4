"""The methods of nc.admin.v1, as the edge takes them: what each does, and who may call it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import message_factory
from google.protobuf.message import Message

from nc.rpc.admin.administrators import AdministratorsService
from nc.rpc.admin.events import EventsService
from nc.rpc.admin.history import HistoryService
from nc.rpc.admin.nodes import NodesService
from nc.rpc.admin.replicas import ReplicasService
from nc.rpc.admin.server import ServerService
from nc.rpc.admin.tokens import BootstrapTokensService
from nc.rpc.api import Call
from nc.rpc.methods import Messages, Method, Methods, StreamMethod
from nc.rpc.permissions import Permission
from nc.services import ADMIN_SERVICES, full_name, path_of

Operation = Callable[[Any, Call], Awaitable[Message]]
Behaviour = Callable[[Messages, Call], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class AdminServices:
    """The services; `stop` ends what of them stays open."""

    nodes: NodesService
    tokens: BootstrapTokensService
    administrators: AdministratorsService
    replicas: ReplicasService
    events: EventsService
    history: HistoryService
    server: ServerService

    def stop(self) -> None:
        """End watches, and what is computed of the past."""
        self.events.stop()
        self.history.stop()


# The methods that change nothing: a viewer may call them.
READING: Final = frozenset(
    (
        *("Nodes/List", "Nodes/Get", "Nodes/States"),
        *("BootstrapTokens/List", "Administrators/List", "Replicas/List"),
        *("Events/Read", "Events/Watch"),
        *("History/At", "History/Diff", "History/Why"),
        *("Server/Status", "Server/Links"),
    )
)


def admin_methods(services: AdminServices) -> Methods:
    operations: dict[str, Operation] = {
        "Nodes/List": services.nodes.list,
        "Nodes/Get": services.nodes.get,
        "Nodes/Update": services.nodes.update,
        "Nodes/Unregister": services.nodes.unregister,
        "Nodes/SetExpiry": services.nodes.set_expiry,
        "Nodes/AssignAddress": services.nodes.assign_address,
        "Nodes/States": services.nodes.states,
        "Nodes/TakeBack": services.nodes.take_back,
        "BootstrapTokens/Issue": services.tokens.issue,
        "BootstrapTokens/List": services.tokens.list,
        "BootstrapTokens/Revoke": services.tokens.revoke,
        "Administrators/Issue": services.administrators.issue,
        "Administrators/List": services.administrators.list,
        "Administrators/Revoke": services.administrators.revoke,
        "Replicas/List": services.replicas.list,
        "Replicas/Invite": services.replicas.invite,
        "Replicas/Remove": services.replicas.remove,
        "Events/Read": services.events.read,
        "History/At": services.history.at,
        "History/Diff": services.history.diff,
        "History/Why": services.history.why,
        "Server/Status": services.server.status,
        "Server/Links": services.server.links,
    }
    watches: dict[str, Behaviour] = {"Events/Watch": services.events.watch}
    methods: dict[bytes, Method | StreamMethod] = {}
    for service in ADMIN_SERVICES:
        for method in service.methods:
            name, short = full_name(method), f"{service.name}/{method.name}"
            reads = short in READING
            if short in watches:
                methods[path_of(method)] = StreamMethod(
                    name,
                    watches[short],
                    Permission.ADMIN,
                    reads=reads,
                    is_standard=False,
                    is_watch=True,
                )
                continue
            methods[path_of(method)] = Method(
                name,
                message_factory.GetMessageClass(method.input_type).FromString,
                operations[short],
                None,
                Permission.ADMIN,
                reads=reads,
                tells_if_out_of_touch=short == "Server/Status",
            )
    return methods
