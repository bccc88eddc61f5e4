from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StatePart(_message.Message):
    __slots__ = ("seq", "pool", "tokens", "nodes", "links", "bindings", "digest_seq", "key_check", "unregistered", "grpc_authority", "network_authority", "sessions")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    POOL_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    LINKS_FIELD_NUMBER: _ClassVar[int]
    BINDINGS_FIELD_NUMBER: _ClassVar[int]
    DIGEST_SEQ_FIELD_NUMBER: _ClassVar[int]
    KEY_CHECK_FIELD_NUMBER: _ClassVar[int]
    UNREGISTERED_FIELD_NUMBER: _ClassVar[int]
    GRPC_AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    NETWORK_AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    seq: int
    pool: Pool
    tokens: Tokens
    nodes: Nodes
    links: Links
    bindings: Bindings
    digest_seq: int
    key_check: str
    unregistered: Unregistered
    grpc_authority: str
    network_authority: str
    sessions: Sessions
    def __init__(self, seq: _Optional[int] = ..., pool: _Optional[_Union[Pool, _Mapping]] = ..., tokens: _Optional[_Union[Tokens, _Mapping]] = ..., nodes: _Optional[_Union[Nodes, _Mapping]] = ..., links: _Optional[_Union[Links, _Mapping]] = ..., bindings: _Optional[_Union[Bindings, _Mapping]] = ..., digest_seq: _Optional[int] = ..., key_check: _Optional[str] = ..., unregistered: _Optional[_Union[Unregistered, _Mapping]] = ..., grpc_authority: _Optional[str] = ..., network_authority: _Optional[str] = ..., sessions: _Optional[_Union[Sessions, _Mapping]] = ...) -> None: ...

class Pool(_message.Message):
    __slots__ = ("network", "next_slot", "released", "ahead")
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    NEXT_SLOT_FIELD_NUMBER: _ClassVar[int]
    RELEASED_FIELD_NUMBER: _ClassVar[int]
    AHEAD_FIELD_NUMBER: _ClassVar[int]
    network: str
    next_slot: int
    released: _containers.RepeatedScalarFieldContainer[str]
    ahead: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, network: _Optional[str] = ..., next_slot: _Optional[int] = ..., released: _Optional[_Iterable[str]] = ..., ahead: _Optional[_Iterable[str]] = ...) -> None: ...

class Tokens(_message.Message):
    __slots__ = ("ids", "expires_at_ms")
    IDS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_MS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    expires_at_ms: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, ids: _Optional[_Iterable[str]] = ..., expires_at_ms: _Optional[_Iterable[int]] = ...) -> None: ...

class Nodes(_message.Message):
    __slots__ = ("ids", "token_ids", "token_numbers", "expires_at_ms", "addresses", "idle_since_seqs")
    IDS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_IDS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_NUMBERS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_MS_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    IDLE_SINCE_SEQS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    token_ids: _containers.RepeatedScalarFieldContainer[str]
    token_numbers: _containers.RepeatedScalarFieldContainer[int]
    expires_at_ms: _containers.RepeatedScalarFieldContainer[int]
    addresses: _containers.RepeatedScalarFieldContainer[str]
    idle_since_seqs: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, ids: _Optional[_Iterable[str]] = ..., token_ids: _Optional[_Iterable[str]] = ..., token_numbers: _Optional[_Iterable[int]] = ..., expires_at_ms: _Optional[_Iterable[int]] = ..., addresses: _Optional[_Iterable[str]] = ..., idle_since_seqs: _Optional[_Iterable[int]] = ...) -> None: ...

class Unregistered(_message.Message):
    __slots__ = ("ids", "until_ms")
    IDS_FIELD_NUMBER: _ClassVar[int]
    UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    until_ms: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, ids: _Optional[_Iterable[str]] = ..., until_ms: _Optional[_Iterable[int]] = ...) -> None: ...

class Links(_message.Message):
    __slots__ = ("node_ids", "states", "link_ids", "sessions", "session_numbers")
    NODE_IDS_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    LINK_IDS_FIELD_NUMBER: _ClassVar[int]
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    SESSION_NUMBERS_FIELD_NUMBER: _ClassVar[int]
    node_ids: _containers.RepeatedScalarFieldContainer[str]
    states: _containers.RepeatedScalarFieldContainer[int]
    link_ids: _containers.RepeatedScalarFieldContainer[str]
    sessions: _containers.RepeatedScalarFieldContainer[str]
    session_numbers: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, node_ids: _Optional[_Iterable[str]] = ..., states: _Optional[_Iterable[int]] = ..., link_ids: _Optional[_Iterable[str]] = ..., sessions: _Optional[_Iterable[str]] = ..., session_numbers: _Optional[_Iterable[int]] = ...) -> None: ...

class Sessions(_message.Message):
    __slots__ = ("ids", "replica_ids")
    IDS_FIELD_NUMBER: _ClassVar[int]
    REPLICA_IDS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    replica_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, ids: _Optional[_Iterable[str]] = ..., replica_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class Bindings(_message.Message):
    __slots__ = ("node_ids", "addresses", "idle_since_seqs")
    NODE_IDS_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    IDLE_SINCE_SEQS_FIELD_NUMBER: _ClassVar[int]
    node_ids: _containers.RepeatedScalarFieldContainer[str]
    addresses: _containers.RepeatedScalarFieldContainer[str]
    idle_since_seqs: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, node_ids: _Optional[_Iterable[str]] = ..., addresses: _Optional[_Iterable[str]] = ..., idle_since_seqs: _Optional[_Iterable[int]] = ...) -> None: ...
