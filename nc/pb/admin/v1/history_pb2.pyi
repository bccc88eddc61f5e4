from nc.pb.admin.v1 import nodes_pb2 as _nodes_pb2
from nc.pb.admin.v1 import tokens_pb2 as _tokens_pb2
from nc.pb.admin.v1 import events_pb2 as _events_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Moment(_message.Message):
    __slots__ = ("seq", "time_ms")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    seq: int
    time_ms: int
    def __init__(self, seq: _Optional[int] = ..., time_ms: _Optional[int] = ...) -> None: ...

class AtRequest(_message.Message):
    __slots__ = ("moment", "page_size", "page_token", "filter")
    MOMENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    moment: Moment
    page_size: int
    page_token: str
    filter: _nodes_pb2.NodeFilter
    def __init__(self, moment: _Optional[_Union[Moment, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., filter: _Optional[_Union[_nodes_pb2.NodeFilter, _Mapping]] = ...) -> None: ...

class AtResponse(_message.Message):
    __slots__ = ("seq", "recorded_at_ns", "nodes", "next_page_token", "total", "tokens", "network")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    RECORDED_AT_NS_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    seq: int
    recorded_at_ns: int
    nodes: _containers.RepeatedCompositeFieldContainer[_nodes_pb2.Node]
    next_page_token: str
    total: int
    tokens: _containers.RepeatedCompositeFieldContainer[_tokens_pb2.BootstrapToken]
    network: str
    def __init__(self, seq: _Optional[int] = ..., recorded_at_ns: _Optional[int] = ..., nodes: _Optional[_Iterable[_Union[_nodes_pb2.Node, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total: _Optional[int] = ..., tokens: _Optional[_Iterable[_Union[_tokens_pb2.BootstrapToken, _Mapping]]] = ..., network: _Optional[str] = ...) -> None: ...

class DiffRequest(_message.Message):
    __slots__ = ("to",)
    FROM_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    to: Moment
    def __init__(self, to: _Optional[_Union[Moment, _Mapping]] = ..., **kwargs) -> None: ...

class DiffResponse(_message.Message):
    __slots__ = ("from_seq", "to_seq", "differences", "more")
    FROM_SEQ_FIELD_NUMBER: _ClassVar[int]
    TO_SEQ_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    from_seq: int
    to_seq: int
    differences: _containers.RepeatedCompositeFieldContainer[Difference]
    more: int
    def __init__(self, from_seq: _Optional[int] = ..., to_seq: _Optional[int] = ..., differences: _Optional[_Iterable[_Union[Difference, _Mapping]]] = ..., more: _Optional[int] = ...) -> None: ...

class Difference(_message.Message):
    __slots__ = ("subject", "id", "name", "field", "before", "after")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    subject: str
    id: str
    name: str
    field: str
    before: str
    after: str
    def __init__(self, subject: _Optional[str] = ..., id: _Optional[str] = ..., name: _Optional[str] = ..., field: _Optional[str] = ..., before: _Optional[str] = ..., after: _Optional[str] = ...) -> None: ...

class WhyRequest(_message.Message):
    __slots__ = ("node", "moment")
    NODE_FIELD_NUMBER: _ClassVar[int]
    MOMENT_FIELD_NUMBER: _ClassVar[int]
    node: str
    moment: Moment
    def __init__(self, node: _Optional[str] = ..., moment: _Optional[_Union[Moment, _Mapping]] = ...) -> None: ...

class WhyResponse(_message.Message):
    __slots__ = ("node_id", "name", "state", "address", "seq", "reasons", "left_out")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    name: str
    state: _nodes_pb2.NodeState
    address: str
    seq: int
    reasons: _containers.RepeatedCompositeFieldContainer[Reason]
    left_out: int
    def __init__(self, node_id: _Optional[str] = ..., name: _Optional[str] = ..., state: _Optional[_Union[_nodes_pb2.NodeState, str]] = ..., address: _Optional[str] = ..., seq: _Optional[int] = ..., reasons: _Optional[_Iterable[_Union[Reason, _Mapping]]] = ..., left_out: _Optional[int] = ...) -> None: ...

class Reason(_message.Message):
    __slots__ = ("event", "sentence")
    EVENT_FIELD_NUMBER: _ClassVar[int]
    SENTENCE_FIELD_NUMBER: _ClassVar[int]
    event: _events_pb2.LoggedEvent
    sentence: str
    def __init__(self, event: _Optional[_Union[_events_pb2.LoggedEvent, _Mapping]] = ..., sentence: _Optional[str] = ...) -> None: ...
