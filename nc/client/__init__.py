"""The calling side of a server: the Python SDK, and what it is built from.

    client, blocking  AsyncClient and Client: what a program uses (docs/how-to/sdk.md)
    areas/            what can be asked: nodes, tokens, administrators, replicas, events, …
    types, replicas, reports   what calls give; `convert` makes it of messages
    contexts          which server, and the certificates for it
    calls, channel    deadlines and repetition; one gRPC channel
    errors            what a call can end with instead

Names are imported when they are used: an agent needs TLS from here, and no gRPC.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from nc.client.blocking import Client
    from nc.client.client import AsyncClient
    from nc.client.contexts import Context, ContextError
    from nc.client.errors import (
        AlreadyExists,
        CallFailed,
        DeadlineExceeded,
        FailedPrecondition,
        InvalidArgument,
        NotFound,
        OutOfRange,
        PermissionDenied,
        Refused,
        ResourceExhausted,
        Unauthenticated,
        Unavailable,
    )
    from nc.client.reports import LoggedEvent
    from nc.client.types import Node, NodeOrder, NodeState, Role

_ERRORS: Final = (
    "AlreadyExists",
    "CallFailed",
    "DeadlineExceeded",
    "FailedPrecondition",
    "InvalidArgument",
    "NotFound",
    "OutOfRange",
    "PermissionDenied",
    "Refused",
    "ResourceExhausted",
    "Unauthenticated",
    "Unavailable",
)
_MODULES: Final = {
    "AsyncClient": "client",
    "Client": "blocking",
    "Context": "contexts",
    "ContextError": "contexts",
    "LoggedEvent": "reports",
    "Node": "types",
    "NodeOrder": "types",
    "NodeState": "types",
    "Role": "types",
    **dict.fromkeys(_ERRORS, "errors"),
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


__all__ = [
    "AlreadyExists",
    "AsyncClient",
    "CallFailed",
    "Client",
    "Context",
    "ContextError",
    "DeadlineExceeded",
    "FailedPrecondition",
    "InvalidArgument",
    "LoggedEvent",
    "Node",
    "NodeOrder",
    "NodeState",
    "NotFound",
    "OutOfRange",
    "PermissionDenied",
    "Refused",
    "ResourceExhausted",
    "Role",
    "Unauthenticated",
    "Unavailable",
]
