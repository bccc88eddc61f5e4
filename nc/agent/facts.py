"""What a machine says of itself when it enrols, and when it renews its certificates."""

from typing import TYPE_CHECKING

from nc.agent.machine import this_machine

if TYPE_CHECKING:
    from nc.pb.node.v1.node_pb2 import Facts


def facts() -> "Facts":
    """The facts of this machine; what cannot be found out is "" in them."""
    from nc.pb.node.v1.node_pb2 import Facts  # noqa: PLC0415 - an agent at work needs no protobuf

    return Facts(**this_machine()._asdict())
