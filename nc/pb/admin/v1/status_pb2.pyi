from nc.pb.admin.v1 import nodes_pb2 as _nodes_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StatusResponse(_message.Message):
    __slots__ = ("version", "started_at_ms", "now_ms", "network", "advertised", "addresses_total", "addresses_bound", "nodes_idle", "nodes_init", "nodes_connected", "tokens", "log", "certificates", "degraded", "unrenewable_nodes", "replica_id", "tokens_expired", "tokens_revoked", "lost_replicas", "advertised_names", "out_of_touch_since_ms")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    NOW_MS_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    ADVERTISED_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_TOTAL_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_BOUND_FIELD_NUMBER: _ClassVar[int]
    NODES_IDLE_FIELD_NUMBER: _ClassVar[int]
    NODES_INIT_FIELD_NUMBER: _ClassVar[int]
    NODES_CONNECTED_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    LOG_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATES_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    UNRENEWABLE_NODES_FIELD_NUMBER: _ClassVar[int]
    REPLICA_ID_FIELD_NUMBER: _ClassVar[int]
    TOKENS_EXPIRED_FIELD_NUMBER: _ClassVar[int]
    TOKENS_REVOKED_FIELD_NUMBER: _ClassVar[int]
    LOST_REPLICAS_FIELD_NUMBER: _ClassVar[int]
    ADVERTISED_NAMES_FIELD_NUMBER: _ClassVar[int]
    OUT_OF_TOUCH_SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    version: str
    started_at_ms: int
    now_ms: int
    network: str
    advertised: str
    addresses_total: int
    addresses_bound: int
    nodes_idle: int
    nodes_init: int
    nodes_connected: int
    tokens: int
    log: Log
    certificates: _containers.RepeatedCompositeFieldContainer[CertificateStatus]
    degraded: _containers.RepeatedScalarFieldContainer[str]
    unrenewable_nodes: int
    replica_id: str
    tokens_expired: int
    tokens_revoked: int
    lost_replicas: _containers.RepeatedCompositeFieldContainer[LostReplica]
    advertised_names: _containers.RepeatedScalarFieldContainer[str]
    out_of_touch_since_ms: int
    def __init__(self, version: _Optional[str] = ..., started_at_ms: _Optional[int] = ..., now_ms: _Optional[int] = ..., network: _Optional[str] = ..., advertised: _Optional[str] = ..., addresses_total: _Optional[int] = ..., addresses_bound: _Optional[int] = ..., nodes_idle: _Optional[int] = ..., nodes_init: _Optional[int] = ..., nodes_connected: _Optional[int] = ..., tokens: _Optional[int] = ..., log: _Optional[_Union[Log, _Mapping]] = ..., certificates: _Optional[_Iterable[_Union[CertificateStatus, _Mapping]]] = ..., degraded: _Optional[_Iterable[str]] = ..., unrenewable_nodes: _Optional[int] = ..., replica_id: _Optional[str] = ..., tokens_expired: _Optional[int] = ..., tokens_revoked: _Optional[int] = ..., lost_replicas: _Optional[_Iterable[_Union[LostReplica, _Mapping]]] = ..., advertised_names: _Optional[_Iterable[str]] = ..., out_of_touch_since_ms: _Optional[int] = ...) -> None: ...

class LostReplica(_message.Message):
    __slots__ = ("id", "since_ms")
    ID_FIELD_NUMBER: _ClassVar[int]
    SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    id: str
    since_ms: int
    def __init__(self, id: _Optional[str] = ..., since_ms: _Optional[int] = ...) -> None: ...

class Log(_message.Message):
    __slots__ = ("folder", "first_seq", "last_seq", "size_bytes", "free_bytes", "snapshot_seq", "writable", "stream", "waits_for")
    FOLDER_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEQ_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQ_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    FREE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_SEQ_FIELD_NUMBER: _ClassVar[int]
    WRITABLE_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    WAITS_FOR_FIELD_NUMBER: _ClassVar[int]
    folder: str
    first_seq: int
    last_seq: int
    size_bytes: int
    free_bytes: int
    snapshot_seq: int
    writable: bool
    stream: str
    waits_for: str
    def __init__(self, folder: _Optional[str] = ..., first_seq: _Optional[int] = ..., last_seq: _Optional[int] = ..., size_bytes: _Optional[int] = ..., free_bytes: _Optional[int] = ..., snapshot_seq: _Optional[int] = ..., writable: _Optional[bool] = ..., stream: _Optional[str] = ..., waits_for: _Optional[str] = ...) -> None: ...

class CertificateStatus(_message.Message):
    __slots__ = ("authority", "kind", "file", "not_after_ms", "renewed_from_ms")
    AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    NOT_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    RENEWED_FROM_MS_FIELD_NUMBER: _ClassVar[int]
    authority: str
    kind: str
    file: str
    not_after_ms: int
    renewed_from_ms: int
    def __init__(self, authority: _Optional[str] = ..., kind: _Optional[str] = ..., file: _Optional[str] = ..., not_after_ms: _Optional[int] = ..., renewed_from_ms: _Optional[int] = ...) -> None: ...

class LinksRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class LinksResponse(_message.Message):
    __slots__ = ("links", "next_page_token", "total", "dropped", "peers")
    class DroppedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    LINKS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    PEERS_FIELD_NUMBER: _ClassVar[int]
    links: _containers.RepeatedCompositeFieldContainer[NodeLink]
    next_page_token: str
    total: int
    dropped: _containers.ScalarMap[str, int]
    peers: _containers.RepeatedCompositeFieldContainer[PeerServer]
    def __init__(self, links: _Optional[_Iterable[_Union[NodeLink, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total: _Optional[int] = ..., dropped: _Optional[_Mapping[str, int]] = ..., peers: _Optional[_Iterable[_Union[PeerServer, _Mapping]]] = ...) -> None: ...

class PeerServer(_message.Message):
    __slots__ = ("session", "address", "connected", "packets_in", "packets_out", "bytes_in", "bytes_out", "dropped", "replica_id")
    class DroppedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    SESSION_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    PACKETS_IN_FIELD_NUMBER: _ClassVar[int]
    PACKETS_OUT_FIELD_NUMBER: _ClassVar[int]
    BYTES_IN_FIELD_NUMBER: _ClassVar[int]
    BYTES_OUT_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    REPLICA_ID_FIELD_NUMBER: _ClassVar[int]
    session: str
    address: str
    connected: bool
    packets_in: int
    packets_out: int
    bytes_in: int
    bytes_out: int
    dropped: _containers.ScalarMap[str, int]
    replica_id: str
    def __init__(self, session: _Optional[str] = ..., address: _Optional[str] = ..., connected: _Optional[bool] = ..., packets_in: _Optional[int] = ..., packets_out: _Optional[int] = ..., bytes_in: _Optional[int] = ..., bytes_out: _Optional[int] = ..., dropped: _Optional[_Mapping[str, int]] = ..., replica_id: _Optional[str] = ...) -> None: ...

class NodeLink(_message.Message):
    __slots__ = ("node_id", "name", "address", "state", "link")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    LINK_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    name: str
    address: str
    state: _nodes_pb2.NodeState
    link: _nodes_pb2.Link
    def __init__(self, node_id: _Optional[str] = ..., name: _Optional[str] = ..., address: _Optional[str] = ..., state: _Optional[_Union[_nodes_pb2.NodeState, str]] = ..., link: _Optional[_Union[_nodes_pb2.Link, _Mapping]] = ...) -> None: ...
