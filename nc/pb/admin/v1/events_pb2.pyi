from nc.pb import events_pb2 as _events_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LoggedEvent(_message.Message):
    __slots__ = ("seq", "recorded_at_ns", "actor", "method", "request_id", "event", "kind", "node_id", "node_name")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    RECORDED_AT_NS_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    NODE_NAME_FIELD_NUMBER: _ClassVar[int]
    seq: int
    recorded_at_ns: int
    actor: str
    method: str
    request_id: str
    event: _events_pb2.Event
    kind: str
    node_id: str
    node_name: str
    def __init__(self, seq: _Optional[int] = ..., recorded_at_ns: _Optional[int] = ..., actor: _Optional[str] = ..., method: _Optional[str] = ..., request_id: _Optional[str] = ..., event: _Optional[_Union[_events_pb2.Event, _Mapping]] = ..., kind: _Optional[str] = ..., node_id: _Optional[str] = ..., node_name: _Optional[str] = ...) -> None: ...

class EventFilter(_message.Message):
    __slots__ = ("nodes", "kinds", "actor", "from_ms", "to_ms")
    NODES_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    FROM_MS_FIELD_NUMBER: _ClassVar[int]
    TO_MS_FIELD_NUMBER: _ClassVar[int]
    nodes: _containers.RepeatedScalarFieldContainer[str]
    kinds: _containers.RepeatedScalarFieldContainer[str]
    actor: str
    from_ms: int
    to_ms: int
    def __init__(self, nodes: _Optional[_Iterable[str]] = ..., kinds: _Optional[_Iterable[str]] = ..., actor: _Optional[str] = ..., from_ms: _Optional[int] = ..., to_ms: _Optional[int] = ...) -> None: ...

class ReadEventsRequest(_message.Message):
    __slots__ = ("from_seq", "page_size", "filter", "newest_first")
    FROM_SEQ_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    NEWEST_FIRST_FIELD_NUMBER: _ClassVar[int]
    from_seq: int
    page_size: int
    filter: EventFilter
    newest_first: bool
    def __init__(self, from_seq: _Optional[int] = ..., page_size: _Optional[int] = ..., filter: _Optional[_Union[EventFilter, _Mapping]] = ..., newest_first: _Optional[bool] = ...) -> None: ...

class ReadEventsResponse(_message.Message):
    __slots__ = ("events", "next_seq", "first_seq", "last_seq")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQ_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEQ_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQ_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[LoggedEvent]
    next_seq: int
    first_seq: int
    last_seq: int
    def __init__(self, events: _Optional[_Iterable[_Union[LoggedEvent, _Mapping]]] = ..., next_seq: _Optional[int] = ..., first_seq: _Optional[int] = ..., last_seq: _Optional[int] = ...) -> None: ...

class WatchEventsRequest(_message.Message):
    __slots__ = ("from_seq", "filter", "stop_at_end")
    FROM_SEQ_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    STOP_AT_END_FIELD_NUMBER: _ClassVar[int]
    from_seq: int
    filter: EventFilter
    stop_at_end: bool
    def __init__(self, from_seq: _Optional[int] = ..., filter: _Optional[_Union[EventFilter, _Mapping]] = ..., stop_at_end: _Optional[bool] = ...) -> None: ...

class WatchEventsResponse(_message.Message):
    __slots__ = ("events", "next_seq")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQ_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[LoggedEvent]
    next_seq: int
    def __init__(self, events: _Optional[_Iterable[_Union[LoggedEvent, _Mapping]]] = ..., next_seq: _Optional[int] = ...) -> None: ...
