"""The services of LiteKube's API and our own, as their .proto files describe them."""

from typing import Final

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from nc.pb import network_controller_pb2, sensor_pb2
from nc.pb.admin.v1 import (
    administrators_pb2,
    events_pb2,
    history_pb2,
    nodes_pb2,
    replicas_pb2,
    status_pb2,
    tokens_pb2,
)
from nc.pb.node.v1 import node_pb2
from nc.pb.replica.v1 import joining_pb2, replication_pb2

_control_services = network_controller_pb2.DESCRIPTOR.services_by_name
CONTROL_SERVICE: Final[ServiceDescriptor] = _control_services["LiteKubeNCService"]
BOOTSTRAP_SERVICE: Final[ServiceDescriptor] = _control_services["LiteKubeNCBootstrapService"]
INTERNAL_SERVICE: Final[ServiceDescriptor] = sensor_pb2.DESCRIPTOR.services_by_name["Internal"]

# nc.node.v1
NODE_SERVICE: Final[ServiceDescriptor] = node_pb2.DESCRIPTOR.services_by_name["Enrolment"]

# nc.replica.v1
JOINING_SERVICE: Final[ServiceDescriptor] = joining_pb2.DESCRIPTOR.services_by_name["Joining"]
REPLICA_SERVICE: Final[ServiceDescriptor] = replication_pb2.DESCRIPTOR.services_by_name[
    "Replication"
]

# nc.admin.v1
ADMIN_SERVICES: Final[tuple[ServiceDescriptor, ...]] = tuple(
    service
    for file in (
        *(nodes_pb2, tokens_pb2, administrators_pb2, replicas_pb2),
        *(events_pb2, history_pb2, status_pb2),
    )
    for service in file.DESCRIPTOR.services_by_name.values()
)


def full_name(method: MethodDescriptor) -> str:
    """A method as in `nc.admin.v1.Nodes/List`."""
    return f"{method.containing_service.full_name}/{method.name}"


def path_of(method: MethodDescriptor) -> bytes:
    """A method's path on the wire, `/nc.admin.v1.Nodes/List`."""
    return f"/{full_name(method)}".encode()
