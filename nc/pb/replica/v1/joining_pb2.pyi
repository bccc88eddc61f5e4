from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RedeemInvitationRequest(_message.Message):
    __slots__ = ("code", "attempt", "replica_id")
    CODE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    REPLICA_ID_FIELD_NUMBER: _ClassVar[int]
    code: str
    attempt: str
    replica_id: str
    def __init__(self, code: _Optional[str] = ..., attempt: _Optional[str] = ..., replica_id: _Optional[str] = ...) -> None: ...

class ReplicaSecrets(_message.Message):
    __slots__ = ("grpc_authority", "network_authority", "secret_key", "nats")
    GRPC_AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    NETWORK_AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    SECRET_KEY_FIELD_NUMBER: _ClassVar[int]
    NATS_FIELD_NUMBER: _ClassVar[int]
    grpc_authority: AuthorityFiles
    network_authority: AuthorityFiles
    secret_key: bytes
    nats: NatsFiles
    def __init__(self, grpc_authority: _Optional[_Union[AuthorityFiles, _Mapping]] = ..., network_authority: _Optional[_Union[AuthorityFiles, _Mapping]] = ..., secret_key: _Optional[bytes] = ..., nats: _Optional[_Union[NatsFiles, _Mapping]] = ...) -> None: ...

class AuthorityFiles(_message.Message):
    __slots__ = ("certificate_pem", "key_pem")
    CERTIFICATE_PEM_FIELD_NUMBER: _ClassVar[int]
    KEY_PEM_FIELD_NUMBER: _ClassVar[int]
    certificate_pem: bytes
    key_pem: bytes
    def __init__(self, certificate_pem: _Optional[bytes] = ..., key_pem: _Optional[bytes] = ...) -> None: ...

class NatsFiles(_message.Message):
    __slots__ = ("ca", "cert", "key", "creds")
    CA_FIELD_NUMBER: _ClassVar[int]
    CERT_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    CREDS_FIELD_NUMBER: _ClassVar[int]
    ca: bytes
    cert: bytes
    key: bytes
    creds: bytes
    def __init__(self, ca: _Optional[bytes] = ..., cert: _Optional[bytes] = ..., key: _Optional[bytes] = ..., creds: _Optional[bytes] = ...) -> None: ...
