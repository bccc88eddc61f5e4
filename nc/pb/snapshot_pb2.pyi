from nc.pb import events_pb2 as _events_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StatePart(_message.Message):
    __slots__ = ("seq", "pool", "tokens", "nodes", "links", "bindings", "digest_seq", "key_check", "unregistered", "grpc_authority", "network_authority", "administrators", "imported", "sessions", "leader", "leader_awaits_start", "membership")
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
    ADMINISTRATORS_FIELD_NUMBER: _ClassVar[int]
    IMPORTED_FIELD_NUMBER: _ClassVar[int]
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    LEADER_FIELD_NUMBER: _ClassVar[int]
    LEADER_AWAITS_START_FIELD_NUMBER: _ClassVar[int]
    MEMBERSHIP_FIELD_NUMBER: _ClassVar[int]
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
    administrators: Administrators
    imported: _containers.RepeatedScalarFieldContainer[str]
    sessions: Sessions
    leader: _events_pb2.LeaderElected
    leader_awaits_start: bool
    membership: Membership
    def __init__(self, seq: _Optional[int] = ..., pool: _Optional[_Union[Pool, _Mapping]] = ..., tokens: _Optional[_Union[Tokens, _Mapping]] = ..., nodes: _Optional[_Union[Nodes, _Mapping]] = ..., links: _Optional[_Union[Links, _Mapping]] = ..., bindings: _Optional[_Union[Bindings, _Mapping]] = ..., digest_seq: _Optional[int] = ..., key_check: _Optional[str] = ..., unregistered: _Optional[_Union[Unregistered, _Mapping]] = ..., grpc_authority: _Optional[str] = ..., network_authority: _Optional[str] = ..., administrators: _Optional[_Union[Administrators, _Mapping]] = ..., imported: _Optional[_Iterable[str]] = ..., sessions: _Optional[_Union[Sessions, _Mapping]] = ..., leader: _Optional[_Union[_events_pb2.LeaderElected, _Mapping]] = ..., leader_awaits_start: _Optional[bool] = ..., membership: _Optional[_Union[Membership, _Mapping]] = ...) -> None: ...

class Membership(_message.Message):
    __slots__ = ("invitations", "replicas", "removed")
    INVITATIONS_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    invitations: _containers.RepeatedCompositeFieldContainer[Invitation]
    replicas: _containers.RepeatedCompositeFieldContainer[Replica]
    removed: _containers.RepeatedCompositeFieldContainer[RemovedReplica]
    def __init__(self, invitations: _Optional[_Iterable[_Union[Invitation, _Mapping]]] = ..., replicas: _Optional[_Iterable[_Union[Replica, _Mapping]]] = ..., removed: _Optional[_Iterable[_Union[RemovedReplica, _Mapping]]] = ...) -> None: ...

class Invitation(_message.Message):
    __slots__ = ("id", "expires_at_ms", "issued_at_ms", "replica_id", "peer_address", "attempt_id", "redeemed_at_ms")
    ID_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_MS_FIELD_NUMBER: _ClassVar[int]
    ISSUED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    REPLICA_ID_FIELD_NUMBER: _ClassVar[int]
    PEER_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_ID_FIELD_NUMBER: _ClassVar[int]
    REDEEMED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    id: str
    expires_at_ms: int
    issued_at_ms: int
    replica_id: str
    peer_address: str
    attempt_id: str
    redeemed_at_ms: int
    def __init__(self, id: _Optional[str] = ..., expires_at_ms: _Optional[int] = ..., issued_at_ms: _Optional[int] = ..., replica_id: _Optional[str] = ..., peer_address: _Optional[str] = ..., attempt_id: _Optional[str] = ..., redeemed_at_ms: _Optional[int] = ...) -> None: ...

class Replica(_message.Message):
    __slots__ = ("id", "version", "started_at_ms", "level", "ended_at_ms", "is_lost")
    ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    IS_LOST_FIELD_NUMBER: _ClassVar[int]
    id: str
    version: str
    started_at_ms: int
    level: int
    ended_at_ms: int
    is_lost: bool
    def __init__(self, id: _Optional[str] = ..., version: _Optional[str] = ..., started_at_ms: _Optional[int] = ..., level: _Optional[int] = ..., ended_at_ms: _Optional[int] = ..., is_lost: _Optional[bool] = ...) -> None: ...

class RemovedReplica(_message.Message):
    __slots__ = ("id", "removed_at_ms")
    ID_FIELD_NUMBER: _ClassVar[int]
    REMOVED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    id: str
    removed_at_ms: int
    def __init__(self, id: _Optional[str] = ..., removed_at_ms: _Optional[int] = ...) -> None: ...

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
    __slots__ = ("ids", "expires_at_ms", "issued_at_ms", "uses", "nodes", "terms", "day_began_ms", "enrolled")
    IDS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_MS_FIELD_NUMBER: _ClassVar[int]
    ISSUED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    USES_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    DAY_BEGAN_MS_FIELD_NUMBER: _ClassVar[int]
    ENROLLED_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    expires_at_ms: _containers.RepeatedScalarFieldContainer[int]
    issued_at_ms: _containers.RepeatedScalarFieldContainer[int]
    uses: _containers.RepeatedScalarFieldContainer[int]
    nodes: _containers.RepeatedScalarFieldContainer[int]
    terms: _containers.RepeatedCompositeFieldContainer[TokenTerms]
    day_began_ms: _containers.RepeatedScalarFieldContainer[int]
    enrolled: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, ids: _Optional[_Iterable[str]] = ..., expires_at_ms: _Optional[_Iterable[int]] = ..., issued_at_ms: _Optional[_Iterable[int]] = ..., uses: _Optional[_Iterable[int]] = ..., nodes: _Optional[_Iterable[int]] = ..., terms: _Optional[_Iterable[_Union[TokenTerms, _Mapping]]] = ..., day_began_ms: _Optional[_Iterable[int]] = ..., enrolled: _Optional[_Iterable[int]] = ...) -> None: ...

class TokenTerms(_message.Message):
    __slots__ = ("index", "revoked", "revoked_at_ms", "label", "max_uses", "max_nodes", "node_labels", "node_name_prefix")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    REVOKED_FIELD_NUMBER: _ClassVar[int]
    REVOKED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    MAX_USES_FIELD_NUMBER: _ClassVar[int]
    MAX_NODES_FIELD_NUMBER: _ClassVar[int]
    NODE_LABELS_FIELD_NUMBER: _ClassVar[int]
    NODE_NAME_PREFIX_FIELD_NUMBER: _ClassVar[int]
    index: int
    revoked: bool
    revoked_at_ms: int
    label: str
    max_uses: int
    max_nodes: int
    node_labels: _containers.RepeatedCompositeFieldContainer[_events_pb2.Label]
    node_name_prefix: str
    def __init__(self, index: _Optional[int] = ..., revoked: _Optional[bool] = ..., revoked_at_ms: _Optional[int] = ..., label: _Optional[str] = ..., max_uses: _Optional[int] = ..., max_nodes: _Optional[int] = ..., node_labels: _Optional[_Iterable[_Union[_events_pb2.Label, _Mapping]]] = ..., node_name_prefix: _Optional[str] = ...) -> None: ...

class Nodes(_message.Message):
    __slots__ = ("ids", "token_ids", "token_numbers", "expires_at_ms", "addresses", "idle_since_seqs", "registered_at_ms", "certificates_end_ms", "links", "idle_since_ms", "assigned", "profiles", "address_idle_since_ms", "ranks")
    IDS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_IDS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_NUMBERS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_MS_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    IDLE_SINCE_SEQS_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATES_END_MS_FIELD_NUMBER: _ClassVar[int]
    LINKS_FIELD_NUMBER: _ClassVar[int]
    IDLE_SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    ASSIGNED_FIELD_NUMBER: _ClassVar[int]
    PROFILES_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_IDLE_SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    RANKS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    token_ids: _containers.RepeatedScalarFieldContainer[str]
    token_numbers: _containers.RepeatedScalarFieldContainer[int]
    expires_at_ms: _containers.RepeatedScalarFieldContainer[int]
    addresses: _containers.RepeatedScalarFieldContainer[str]
    idle_since_seqs: _containers.RepeatedScalarFieldContainer[int]
    registered_at_ms: _containers.RepeatedScalarFieldContainer[int]
    certificates_end_ms: _containers.RepeatedScalarFieldContainer[int]
    links: _containers.RepeatedScalarFieldContainer[int]
    idle_since_ms: _containers.RepeatedScalarFieldContainer[int]
    assigned: _containers.RepeatedScalarFieldContainer[int]
    profiles: _containers.RepeatedCompositeFieldContainer[NodeProfile]
    address_idle_since_ms: _containers.RepeatedScalarFieldContainer[int]
    ranks: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, ids: _Optional[_Iterable[str]] = ..., token_ids: _Optional[_Iterable[str]] = ..., token_numbers: _Optional[_Iterable[int]] = ..., expires_at_ms: _Optional[_Iterable[int]] = ..., addresses: _Optional[_Iterable[str]] = ..., idle_since_seqs: _Optional[_Iterable[int]] = ..., registered_at_ms: _Optional[_Iterable[int]] = ..., certificates_end_ms: _Optional[_Iterable[int]] = ..., links: _Optional[_Iterable[int]] = ..., idle_since_ms: _Optional[_Iterable[int]] = ..., assigned: _Optional[_Iterable[int]] = ..., profiles: _Optional[_Iterable[_Union[NodeProfile, _Mapping]]] = ..., address_idle_since_ms: _Optional[_Iterable[int]] = ..., ranks: _Optional[_Iterable[int]] = ...) -> None: ...

class NodeProfile(_message.Message):
    __slots__ = ("index", "name", "labels", "note", "facts", "key_sha256", "imported")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    KEY_SHA256_FIELD_NUMBER: _ClassVar[int]
    IMPORTED_FIELD_NUMBER: _ClassVar[int]
    index: int
    name: str
    labels: _containers.RepeatedCompositeFieldContainer[_events_pb2.Label]
    note: str
    facts: _events_pb2.NodeFacts
    key_sha256: str
    imported: bool
    def __init__(self, index: _Optional[int] = ..., name: _Optional[str] = ..., labels: _Optional[_Iterable[_Union[_events_pb2.Label, _Mapping]]] = ..., note: _Optional[str] = ..., facts: _Optional[_Union[_events_pb2.NodeFacts, _Mapping]] = ..., key_sha256: _Optional[str] = ..., imported: _Optional[bool] = ...) -> None: ...

class Unregistered(_message.Message):
    __slots__ = ("ids", "until_ms")
    IDS_FIELD_NUMBER: _ClassVar[int]
    UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    until_ms: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, ids: _Optional[_Iterable[str]] = ..., until_ms: _Optional[_Iterable[int]] = ...) -> None: ...

class Links(_message.Message):
    __slots__ = ("node_ids", "states", "link_ids", "since_ms", "sessions", "session_numbers")
    NODE_IDS_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    LINK_IDS_FIELD_NUMBER: _ClassVar[int]
    SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    SESSION_NUMBERS_FIELD_NUMBER: _ClassVar[int]
    node_ids: _containers.RepeatedScalarFieldContainer[str]
    states: _containers.RepeatedScalarFieldContainer[int]
    link_ids: _containers.RepeatedScalarFieldContainer[str]
    since_ms: _containers.RepeatedScalarFieldContainer[int]
    sessions: _containers.RepeatedScalarFieldContainer[str]
    session_numbers: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, node_ids: _Optional[_Iterable[str]] = ..., states: _Optional[_Iterable[int]] = ..., link_ids: _Optional[_Iterable[str]] = ..., since_ms: _Optional[_Iterable[int]] = ..., sessions: _Optional[_Iterable[str]] = ..., session_numbers: _Optional[_Iterable[int]] = ...) -> None: ...

class Sessions(_message.Message):
    __slots__ = ("ids", "replica_ids")
    IDS_FIELD_NUMBER: _ClassVar[int]
    REPLICA_IDS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    replica_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, ids: _Optional[_Iterable[str]] = ..., replica_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class Bindings(_message.Message):
    __slots__ = ("node_ids", "addresses", "idle_since_seqs", "idle_since_ms", "assigned")
    NODE_IDS_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    IDLE_SINCE_SEQS_FIELD_NUMBER: _ClassVar[int]
    IDLE_SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    ASSIGNED_FIELD_NUMBER: _ClassVar[int]
    node_ids: _containers.RepeatedScalarFieldContainer[str]
    addresses: _containers.RepeatedScalarFieldContainer[str]
    idle_since_seqs: _containers.RepeatedScalarFieldContainer[int]
    idle_since_ms: _containers.RepeatedScalarFieldContainer[int]
    assigned: _containers.RepeatedScalarFieldContainer[bool]
    def __init__(self, node_ids: _Optional[_Iterable[str]] = ..., addresses: _Optional[_Iterable[str]] = ..., idle_since_seqs: _Optional[_Iterable[int]] = ..., idle_since_ms: _Optional[_Iterable[int]] = ..., assigned: _Optional[_Iterable[bool]] = ...) -> None: ...

class Administrators(_message.Message):
    __slots__ = ("administrators", "installed")
    ADMINISTRATORS_FIELD_NUMBER: _ClassVar[int]
    INSTALLED_FIELD_NUMBER: _ClassVar[int]
    administrators: _containers.RepeatedCompositeFieldContainer[Administrator]
    installed: str
    def __init__(self, administrators: _Optional[_Iterable[_Union[Administrator, _Mapping]]] = ..., installed: _Optional[str] = ...) -> None: ...

class Administrator(_message.Message):
    __slots__ = ("serial", "name", "role", "ends_at_ms", "added_at_ms", "installed", "revoked", "revoked_at_ms")
    SERIAL_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    ENDS_AT_MS_FIELD_NUMBER: _ClassVar[int]
    ADDED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    INSTALLED_FIELD_NUMBER: _ClassVar[int]
    REVOKED_FIELD_NUMBER: _ClassVar[int]
    REVOKED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    serial: str
    name: str
    role: int
    ends_at_ms: int
    added_at_ms: int
    installed: bool
    revoked: bool
    revoked_at_ms: int
    def __init__(self, serial: _Optional[str] = ..., name: _Optional[str] = ..., role: _Optional[int] = ..., ends_at_ms: _Optional[int] = ..., added_at_ms: _Optional[int] = ..., installed: _Optional[bool] = ..., revoked: _Optional[bool] = ..., revoked_at_ms: _Optional[int] = ...) -> None: ...
