from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class TakeBackRequest(_message.Message):
    __slots__ = ("node_tokens", "all_waiting")
    NODE_TOKENS_FIELD_NUMBER: _ClassVar[int]
    ALL_WAITING_FIELD_NUMBER: _ClassVar[int]
    node_tokens: _containers.RepeatedScalarFieldContainer[str]
    all_waiting: bool
    def __init__(self, node_tokens: _Optional[_Iterable[str]] = ..., all_waiting: _Optional[bool] = ...) -> None: ...

class TakeBackResponse(_message.Message):
    __slots__ = ("code", "message", "node_ids", "waiting_ids")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    NODE_IDS_FIELD_NUMBER: _ClassVar[int]
    WAITING_IDS_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    node_ids: _containers.RepeatedScalarFieldContainer[str]
    waiting_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ..., node_ids: _Optional[_Iterable[str]] = ..., waiting_ids: _Optional[_Iterable[str]] = ...) -> None: ...
