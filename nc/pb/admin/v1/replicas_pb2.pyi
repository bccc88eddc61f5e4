from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReplicaState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REPLICA_STATE_UNSPECIFIED: _ClassVar[ReplicaState]
    REPLICA_STATE_RUNNING: _ClassVar[ReplicaState]
    REPLICA_STATE_STOPPED: _ClassVar[ReplicaState]
    REPLICA_STATE_REMOVED: _ClassVar[ReplicaState]

class ReplicaRole(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REPLICA_ROLE_UNSPECIFIED: _ClassVar[ReplicaRole]
    REPLICA_ROLE_LEADER: _ClassVar[ReplicaRole]
    REPLICA_ROLE_FOLLOWER: _ClassVar[ReplicaRole]
REPLICA_STATE_UNSPECIFIED: ReplicaState
REPLICA_STATE_RUNNING: ReplicaState
REPLICA_STATE_STOPPED: ReplicaState
REPLICA_STATE_REMOVED: ReplicaState
REPLICA_ROLE_UNSPECIFIED: ReplicaRole
REPLICA_ROLE_LEADER: ReplicaRole
REPLICA_ROLE_FOLLOWER: ReplicaRole

class Replica(_message.Message):
    __slots__ = ("id", "state", "sessions", "version", "since_ms", "self", "role", "address", "level", "lag_events", "links", "ended_ms", "lost")
    ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    SELF_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    LAG_EVENTS_FIELD_NUMBER: _ClassVar[int]
    LINKS_FIELD_NUMBER: _ClassVar[int]
    ENDED_MS_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    id: str
    state: ReplicaState
    sessions: _containers.RepeatedScalarFieldContainer[str]
    version: str
    since_ms: int
    self: bool
    role: ReplicaRole
    address: str
    level: int
    lag_events: int
    links: int
    ended_ms: int
    lost: bool
    def __init__(self_, id: _Optional[str] = ..., state: _Optional[_Union[ReplicaState, str]] = ..., sessions: _Optional[_Iterable[str]] = ..., version: _Optional[str] = ..., since_ms: _Optional[int] = ..., self: _Optional[bool] = ..., role: _Optional[_Union[ReplicaRole, str]] = ..., address: _Optional[str] = ..., level: _Optional[int] = ..., lag_events: _Optional[int] = ..., links: _Optional[int] = ..., ended_ms: _Optional[int] = ..., lost: _Optional[bool] = ...) -> None: ...

class Invitation(_message.Message):
    __slots__ = ("id", "issued_at_ms", "expires_at_ms", "expired", "replica_id", "peer_address", "redeemed_at_ms")
    ID_FIELD_NUMBER: _ClassVar[int]
    ISSUED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_MS_FIELD_NUMBER: _ClassVar[int]
    EXPIRED_FIELD_NUMBER: _ClassVar[int]
    REPLICA_ID_FIELD_NUMBER: _ClassVar[int]
    PEER_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    REDEEMED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    id: str
    issued_at_ms: int
    expires_at_ms: int
    expired: bool
    replica_id: str
    peer_address: str
    redeemed_at_ms: int
    def __init__(self, id: _Optional[str] = ..., issued_at_ms: _Optional[int] = ..., expires_at_ms: _Optional[int] = ..., expired: _Optional[bool] = ..., replica_id: _Optional[str] = ..., peer_address: _Optional[str] = ..., redeemed_at_ms: _Optional[int] = ...) -> None: ...

class ListReplicasRequest(_message.Message):
    __slots__ = ("all",)
    ALL_FIELD_NUMBER: _ClassVar[int]
    all: bool
    def __init__(self, all: _Optional[bool] = ...) -> None: ...

class ListReplicasResponse(_message.Message):
    __slots__ = ("replicas", "invitations")
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    INVITATIONS_FIELD_NUMBER: _ClassVar[int]
    replicas: _containers.RepeatedCompositeFieldContainer[Replica]
    invitations: _containers.RepeatedCompositeFieldContainer[Invitation]
    def __init__(self, replicas: _Optional[_Iterable[_Union[Replica, _Mapping]]] = ..., invitations: _Optional[_Iterable[_Union[Invitation, _Mapping]]] = ...) -> None: ...

class InviteReplicaRequest(_message.Message):
    __slots__ = ("lifetime_s",)
    LIFETIME_S_FIELD_NUMBER: _ClassVar[int]
    lifetime_s: int
    def __init__(self, lifetime_s: _Optional[int] = ...) -> None: ...

class InviteReplicaResponse(_message.Message):
    __slots__ = ("code", "issued", "host", "port", "ca_cert_hash", "cluster")
    CODE_FIELD_NUMBER: _ClassVar[int]
    ISSUED_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    CA_CERT_HASH_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    code: str
    issued: Invitation
    host: str
    port: int
    ca_cert_hash: str
    cluster: str
    def __init__(self, code: _Optional[str] = ..., issued: _Optional[_Union[Invitation, _Mapping]] = ..., host: _Optional[str] = ..., port: _Optional[int] = ..., ca_cert_hash: _Optional[str] = ..., cluster: _Optional[str] = ...) -> None: ...

class RemoveReplicaRequest(_message.Message):
    __slots__ = ("replica",)
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    replica: str
    def __init__(self, replica: _Optional[str] = ...) -> None: ...

class RemoveReplicaResponse(_message.Message):
    __slots__ = ("replica", "invitation")
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    INVITATION_FIELD_NUMBER: _ClassVar[int]
    replica: Replica
    invitation: Invitation
    def __init__(self, replica: _Optional[_Union[Replica, _Mapping]] = ..., invitation: _Optional[_Union[Invitation, _Mapping]] = ...) -> None: ...
