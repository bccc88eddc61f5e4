"""What machines and LiteKube's clients can call, put together from a server's parts."""

from collections.abc import Callable

from nc.replica.replica import Replica
from nc.rpc.api import Endpoints
from nc.rpc.controller import Controller
from nc.rpc.joining import JoiningService, joining_methods
from nc.rpc.methods import Method, methods_of
from nc.rpc.node.enrolment import EnrolmentService
from nc.rpc.node.methods import node_methods
from nc.server.parts import Parts


def public_methods(
    parts: Parts, replica: Replica, endpoints: Callable[[], Endpoints]
) -> dict[bytes, Method]:
    shared = (
        *(replica, parts.authorities, endpoints),
        *(parts.token_ids, parts.clock, parts.secrets),
    )
    max_nodes = parts.node_limits.max_nodes
    enrolment = EnrolmentService(*shared, lifetime=parts.certificate_lifetime, max_nodes=max_nodes)
    joining = JoiningService(replica, parts.inviting, parts.token_ids, parts.clock)
    return {
        **methods_of(Controller(*shared, max_nodes)),
        **node_methods(enrolment),
        **joining_methods(joining),
    }
