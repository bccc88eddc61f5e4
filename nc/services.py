"""The services of LiteKube's API and our own, as their .proto files describe them."""

from typing import Final

from google.protobuf.descriptor import ServiceDescriptor

from nc.pb import network_controller_pb2, sensor_pb2
from nc.pb.admin.v1 import nodes_pb2

_control_services = network_controller_pb2.DESCRIPTOR.services_by_name
CONTROL_SERVICE: Final[ServiceDescriptor] = _control_services["LiteKubeNCService"]
BOOTSTRAP_SERVICE: Final[ServiceDescriptor] = _control_services["LiteKubeNCBootstrapService"]
ADMIN_SERVICE: Final[ServiceDescriptor] = nodes_pb2.DESCRIPTOR.services_by_name["Nodes"]
INTERNAL_SERVICE: Final[ServiceDescriptor] = sensor_pb2.DESCRIPTOR.services_by_name["Internal"]
