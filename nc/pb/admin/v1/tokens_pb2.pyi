from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BootstrapToken(_message.Message):
    __slots__ = ("id", "label", "issued_at_ms", "expires_at_ms", "expired", "revoked", "max_uses", "uses", "max_nodes", "nodes", "node_labels", "node_name_prefix")
    class NodeLabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    ISSUED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_MS_FIELD_NUMBER: _ClassVar[int]
    EXPIRED_FIELD_NUMBER: _ClassVar[int]
    REVOKED_FIELD_NUMBER: _ClassVar[int]
    MAX_USES_FIELD_NUMBER: _ClassVar[int]
    USES_FIELD_NUMBER: _ClassVar[int]
    MAX_NODES_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    NODE_LABELS_FIELD_NUMBER: _ClassVar[int]
    NODE_NAME_PREFIX_FIELD_NUMBER: _ClassVar[int]
    id: str
    label: str
    issued_at_ms: int
    expires_at_ms: int
    expired: bool
    revoked: bool
    max_uses: int
    uses: int
    max_nodes: int
    nodes: int
    node_labels: _containers.ScalarMap[str, str]
    node_name_prefix: str
    def __init__(self, id: _Optional[str] = ..., label: _Optional[str] = ..., issued_at_ms: _Optional[int] = ..., expires_at_ms: _Optional[int] = ..., expired: _Optional[bool] = ..., revoked: _Optional[bool] = ..., max_uses: _Optional[int] = ..., uses: _Optional[int] = ..., max_nodes: _Optional[int] = ..., nodes: _Optional[int] = ..., node_labels: _Optional[_Mapping[str, str]] = ..., node_name_prefix: _Optional[str] = ...) -> None: ...

class IssueTokenRequest(_message.Message):
    __slots__ = ("lifetime_s", "max_uses", "label", "node_labels", "node_name_prefix", "max_nodes")
    class NodeLabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    LIFETIME_S_FIELD_NUMBER: _ClassVar[int]
    MAX_USES_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    NODE_LABELS_FIELD_NUMBER: _ClassVar[int]
    NODE_NAME_PREFIX_FIELD_NUMBER: _ClassVar[int]
    MAX_NODES_FIELD_NUMBER: _ClassVar[int]
    lifetime_s: int
    max_uses: int
    label: str
    node_labels: _containers.ScalarMap[str, str]
    node_name_prefix: str
    max_nodes: int
    def __init__(self, lifetime_s: _Optional[int] = ..., max_uses: _Optional[int] = ..., label: _Optional[str] = ..., node_labels: _Optional[_Mapping[str, str]] = ..., node_name_prefix: _Optional[str] = ..., max_nodes: _Optional[int] = ...) -> None: ...

class IssueTokenResponse(_message.Message):
    __slots__ = ("token", "issued", "host", "port", "ca_cert_hash", "others")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    ISSUED_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    CA_CERT_HASH_FIELD_NUMBER: _ClassVar[int]
    OTHERS_FIELD_NUMBER: _ClassVar[int]
    token: str
    issued: BootstrapToken
    host: str
    port: int
    ca_cert_hash: str
    others: _containers.RepeatedCompositeFieldContainer[JoinAddress]
    def __init__(self, token: _Optional[str] = ..., issued: _Optional[_Union[BootstrapToken, _Mapping]] = ..., host: _Optional[str] = ..., port: _Optional[int] = ..., ca_cert_hash: _Optional[str] = ..., others: _Optional[_Iterable[_Union[JoinAddress, _Mapping]]] = ...) -> None: ...

class JoinAddress(_message.Message):
    __slots__ = ("host", "port")
    HOST_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    host: str
    port: int
    def __init__(self, host: _Optional[str] = ..., port: _Optional[int] = ...) -> None: ...

class ListTokensRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "all")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    all: bool
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., all: _Optional[bool] = ...) -> None: ...

class ListTokensResponse(_message.Message):
    __slots__ = ("tokens", "next_page_token", "total")
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    tokens: _containers.RepeatedCompositeFieldContainer[BootstrapToken]
    next_page_token: str
    total: int
    def __init__(self, tokens: _Optional[_Iterable[_Union[BootstrapToken, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total: _Optional[int] = ...) -> None: ...

class RevokeTokenRequest(_message.Message):
    __slots__ = ("token",)
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    token: str
    def __init__(self, token: _Optional[str] = ...) -> None: ...
