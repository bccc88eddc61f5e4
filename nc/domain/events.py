"""The events, in one import: the messages of `proto/nc/pb/events.proto`."""

from nc.pb import events_pb2 as pb
from nc.pb.events_pb2 import (
    AddressBound,
    AddressReleased,
    Batch,
    Certificate,
    DigestRecorded,
    Entry,
    Event,
    ExpiryChanged,
    LogRepaired,
    NodeForgotten,
    NodeRegistered,
    ReplicaStarted,
    ReplicaStopped,
    StateChanged,
    TokenExpired,
    TokenIssued,
    Unregistered,
)

__all__ = [
    "AddressBound",
    "AddressReleased",
    "Batch",
    "Certificate",
    "DigestRecorded",
    "Entry",
    "Event",
    "ExpiryChanged",
    "LogRepaired",
    "NodeForgotten",
    "NodeRegistered",
    "ReplicaStarted",
    "ReplicaStopped",
    "StateChanged",
    "TokenExpired",
    "TokenIssued",
    "Unregistered",
    "pb",
]
