from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROLE_UNSPECIFIED: _ClassVar[Role]
    ROLE_ADMIN: _ClassVar[Role]
    ROLE_VIEWER: _ClassVar[Role]
ROLE_UNSPECIFIED: Role
ROLE_ADMIN: Role
ROLE_VIEWER: Role

class Administrator(_message.Message):
    __slots__ = ("name", "role", "serial", "issued_at_ms", "certificate_ends_ms", "revoked", "revoked_at_ms", "installed", "self")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    SERIAL_FIELD_NUMBER: _ClassVar[int]
    ISSUED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_ENDS_MS_FIELD_NUMBER: _ClassVar[int]
    REVOKED_FIELD_NUMBER: _ClassVar[int]
    REVOKED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    INSTALLED_FIELD_NUMBER: _ClassVar[int]
    SELF_FIELD_NUMBER: _ClassVar[int]
    name: str
    role: Role
    serial: str
    issued_at_ms: int
    certificate_ends_ms: int
    revoked: bool
    revoked_at_ms: int
    installed: bool
    self: bool
    def __init__(self_, name: _Optional[str] = ..., role: _Optional[_Union[Role, str]] = ..., serial: _Optional[str] = ..., issued_at_ms: _Optional[int] = ..., certificate_ends_ms: _Optional[int] = ..., revoked: _Optional[bool] = ..., revoked_at_ms: _Optional[int] = ..., installed: _Optional[bool] = ..., self: _Optional[bool] = ...) -> None: ...

class IssueAdministratorRequest(_message.Message):
    __slots__ = ("name", "role", "lifetime_s", "csr_pem")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    LIFETIME_S_FIELD_NUMBER: _ClassVar[int]
    CSR_PEM_FIELD_NUMBER: _ClassVar[int]
    name: str
    role: Role
    lifetime_s: int
    csr_pem: str
    def __init__(self, name: _Optional[str] = ..., role: _Optional[_Union[Role, str]] = ..., lifetime_s: _Optional[int] = ..., csr_pem: _Optional[str] = ...) -> None: ...

class IssueAdministratorResponse(_message.Message):
    __slots__ = ("administrator", "ca_pem", "certificate_pem", "key_pem")
    ADMINISTRATOR_FIELD_NUMBER: _ClassVar[int]
    CA_PEM_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_PEM_FIELD_NUMBER: _ClassVar[int]
    KEY_PEM_FIELD_NUMBER: _ClassVar[int]
    administrator: Administrator
    ca_pem: str
    certificate_pem: str
    key_pem: str
    def __init__(self, administrator: _Optional[_Union[Administrator, _Mapping]] = ..., ca_pem: _Optional[str] = ..., certificate_pem: _Optional[str] = ..., key_pem: _Optional[str] = ...) -> None: ...

class ListAdministratorsRequest(_message.Message):
    __slots__ = ("all",)
    ALL_FIELD_NUMBER: _ClassVar[int]
    all: bool
    def __init__(self, all: _Optional[bool] = ...) -> None: ...

class ListAdministratorsResponse(_message.Message):
    __slots__ = ("administrators",)
    ADMINISTRATORS_FIELD_NUMBER: _ClassVar[int]
    administrators: _containers.RepeatedCompositeFieldContainer[Administrator]
    def __init__(self, administrators: _Optional[_Iterable[_Union[Administrator, _Mapping]]] = ...) -> None: ...

class RevokeAdministratorRequest(_message.Message):
    __slots__ = ("administrator",)
    ADMINISTRATOR_FIELD_NUMBER: _ClassVar[int]
    administrator: str
    def __init__(self, administrator: _Optional[str] = ...) -> None: ...
