"""The events, in one import: the messages of `proto/nc/pb/events.proto`."""

from nc.pb import events_pb2
from nc.pb.events_pb2 import *  # noqa: F403 - all of them

pb = events_pb2  # also their enums
