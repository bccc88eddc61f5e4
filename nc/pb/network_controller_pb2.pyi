from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class HelloWorldRequest(_message.Message):
    __slots__ = ("hello_text",)
    HELLO_TEXT_FIELD_NUMBER: _ClassVar[int]
    hello_text: str
    def __init__(self, hello_text: _Optional[str] = ...) -> None: ...

class HelloWorldResponse(_message.Message):
    __slots__ = ("thanks_text",)
    THANKS_TEXT_FIELD_NUMBER: _ClassVar[int]
    thanks_text: str
    def __init__(self, thanks_text: _Optional[str] = ...) -> None: ...

class HealthCheckRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class HealthCheckResponse(_message.Message):
    __slots__ = ("code",)
    CODE_FIELD_NUMBER: _ClassVar[int]
    code: str
    def __init__(self, code: _Optional[str] = ...) -> None: ...

class GetBootStrapTokenRequest(_message.Message):
    __slots__ = ("expireTime",)
    EXPIRETIME_FIELD_NUMBER: _ClassVar[int]
    expireTime: int
    def __init__(self, expireTime: _Optional[int] = ...) -> None: ...

class GetBootStrapTokenResponse(_message.Message):
    __slots__ = ("code", "message", "bootStrapToken", "cloudIp", "port")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    BOOTSTRAPTOKEN_FIELD_NUMBER: _ClassVar[int]
    CLOUDIP_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    bootStrapToken: str
    cloudIp: str
    port: str
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ..., bootStrapToken: _Optional[str] = ..., cloudIp: _Optional[str] = ..., port: _Optional[str] = ...) -> None: ...

class GetTokenRequest(_message.Message):
    __slots__ = ("bootStrapToken",)
    BOOTSTRAPTOKEN_FIELD_NUMBER: _ClassVar[int]
    bootStrapToken: str
    def __init__(self, bootStrapToken: _Optional[str] = ...) -> None: ...

class GetTokenResponse(_message.Message):
    __slots__ = ("code", "message", "token", "networkServerIp", "networkServerPort", "GrpcServerIp", "GrpcServerPort", "GrpcCaCert", "GrpcClientKey", "GrpcClientCert", "NetworkCaCert", "NetworkClientKey", "NetworkClientCert")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    NETWORKSERVERIP_FIELD_NUMBER: _ClassVar[int]
    NETWORKSERVERPORT_FIELD_NUMBER: _ClassVar[int]
    GRPCSERVERIP_FIELD_NUMBER: _ClassVar[int]
    GRPCSERVERPORT_FIELD_NUMBER: _ClassVar[int]
    GRPCCACERT_FIELD_NUMBER: _ClassVar[int]
    GRPCCLIENTKEY_FIELD_NUMBER: _ClassVar[int]
    GRPCCLIENTCERT_FIELD_NUMBER: _ClassVar[int]
    NETWORKCACERT_FIELD_NUMBER: _ClassVar[int]
    NETWORKCLIENTKEY_FIELD_NUMBER: _ClassVar[int]
    NETWORKCLIENTCERT_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    token: str
    networkServerIp: str
    networkServerPort: str
    GrpcServerIp: str
    GrpcServerPort: str
    GrpcCaCert: str
    GrpcClientKey: str
    GrpcClientCert: str
    NetworkCaCert: str
    NetworkClientKey: str
    NetworkClientCert: str
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ..., token: _Optional[str] = ..., networkServerIp: _Optional[str] = ..., networkServerPort: _Optional[str] = ..., GrpcServerIp: _Optional[str] = ..., GrpcServerPort: _Optional[str] = ..., GrpcCaCert: _Optional[str] = ..., GrpcClientKey: _Optional[str] = ..., GrpcClientCert: _Optional[str] = ..., NetworkCaCert: _Optional[str] = ..., NetworkClientKey: _Optional[str] = ..., NetworkClientCert: _Optional[str] = ...) -> None: ...

class CheckConnStateRequest(_message.Message):
    __slots__ = ("token",)
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    token: str
    def __init__(self, token: _Optional[str] = ...) -> None: ...

class CheckConnResponse(_message.Message):
    __slots__ = ("code", "message", "connState", "bindIp")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    CONNSTATE_FIELD_NUMBER: _ClassVar[int]
    BINDIP_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    connState: int
    bindIp: str
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ..., connState: _Optional[int] = ..., bindIp: _Optional[str] = ...) -> None: ...

class UnRegisterRequest(_message.Message):
    __slots__ = ("token",)
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    token: str
    def __init__(self, token: _Optional[str] = ...) -> None: ...

class UnRegisterResponse(_message.Message):
    __slots__ = ("code", "message", "result")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    result: bool
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ..., result: _Optional[bool] = ...) -> None: ...

class GetRegistedIpRequest(_message.Message):
    __slots__ = ("token",)
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    token: str
    def __init__(self, token: _Optional[str] = ...) -> None: ...

class GetRegistedIpResponse(_message.Message):
    __slots__ = ("code", "message", "ip")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    IP_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    ip: str
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ..., ip: _Optional[str] = ...) -> None: ...
