"""The methods of nc.node.v1, as the edge takes them."""

from collections.abc import Awaitable, Callable
from typing import Any

from google.protobuf import message_factory
from google.protobuf.message import Message

from nc.rpc.api import Call
from nc.rpc.methods import Method
from nc.rpc.node.enrolment import EnrolmentService
from nc.rpc.permissions import Permission
from nc.services import NODE_SERVICE, full_name, path_of

Operation = Callable[[Any, Call], Awaitable[Message]]


def node_methods(service: EnrolmentService) -> dict[bytes, Method]:
    """Every method by its path. Anyone may call them: a token is in each request."""
    operations: dict[str, tuple[Operation, Callable[[Any, Call], None]]] = {
        "Enrol": (service.enrol, service.check_enrol),
        "Renew": (service.renew, service.check_renew),
    }
    return {
        path_of(method): Method(
            full_name(method),
            message_factory.GetMessageClass(method.input_type).FromString,
            operations[method.name][0],
            None,
            Permission.ANYONE,
            check_token=operations[method.name][1],
        )
        for method in NODE_SERVICE.methods
    }
