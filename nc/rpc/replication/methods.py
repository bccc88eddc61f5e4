"""The methods of nc.replica.v1, as the edge takes them."""

from nc.pb.replica.v1 import replication_pb2 as pb
from nc.rpc.methods import Method, Methods, StreamMethod
from nc.rpc.permissions import Permission
from nc.rpc.replication.service import ReplicationService
from nc.services import REPLICA_SERVICE, full_name, path_of


def replica_methods(service: ReplicationService) -> Methods:
    follow, forward = REPLICA_SERVICE.methods
    return {
        path_of(follow): StreamMethod(
            full_name(follow),
            service.follow,
            Permission.REPLICA,
            reads=False,
            is_standard=False,
        ),
        path_of(forward): Method(
            full_name(forward),
            pb.ForwardRequest.FromString,
            service.forward,
            None,
            Permission.REPLICA,
        ),
    }
