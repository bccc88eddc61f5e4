from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SensorExpire(_message.Message):
    __slots__ = ("deviceToken", "expireTime")
    DEVICETOKEN_FIELD_NUMBER: _ClassVar[int]
    EXPIRETIME_FIELD_NUMBER: _ClassVar[int]
    deviceToken: bytes
    expireTime: int
    def __init__(self, deviceToken: _Optional[bytes] = ..., expireTime: _Optional[int] = ...) -> None: ...

class SensorExpireTimeRequest(_message.Message):
    __slots__ = ("sensorExpire",)
    SENSOREXPIRE_FIELD_NUMBER: _ClassVar[int]
    sensorExpire: _containers.RepeatedCompositeFieldContainer[SensorExpire]
    def __init__(self, sensorExpire: _Optional[_Iterable[_Union[SensorExpire, _Mapping]]] = ...) -> None: ...

class SensorExpireTimeResponse(_message.Message):
    __slots__ = ("code", "message")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...
