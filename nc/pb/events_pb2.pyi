from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class InvitationEndReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INVITATION_END_REASON_UNSPECIFIED: _ClassVar[InvitationEndReason]
    INVITATION_END_REASON_REVOKED: _ClassVar[InvitationEndReason]
    INVITATION_END_REASON_EXPIRED: _ClassVar[InvitationEndReason]

class CertificateAuthority(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CERTIFICATE_AUTHORITY_UNSPECIFIED: _ClassVar[CertificateAuthority]
    CERTIFICATE_AUTHORITY_GRPC: _ClassVar[CertificateAuthority]
    CERTIFICATE_AUTHORITY_NETWORK: _ClassVar[CertificateAuthority]

class ConnectionState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONNECTION_STATE_UNSPECIFIED: _ClassVar[ConnectionState]
    CONNECTION_STATE_IDLE: _ClassVar[ConnectionState]
    CONNECTION_STATE_INIT: _ClassVar[ConnectionState]
    CONNECTION_STATE_CONNECTED: _ClassVar[ConnectionState]

class StateChangeReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STATE_CHANGE_REASON_UNSPECIFIED: _ClassVar[StateChangeReason]
    STATE_CHANGE_REASON_LINK_ACCEPTED: _ClassVar[StateChangeReason]
    STATE_CHANGE_REASON_ADDRESS_HANDED_OVER: _ClassVar[StateChangeReason]
    STATE_CHANGE_REASON_LINK_CLOSED: _ClassVar[StateChangeReason]
    STATE_CHANGE_REASON_LINK_SILENT: _ClassVar[StateChangeReason]
    STATE_CHANGE_REASON_LINK_REFUSED: _ClassVar[StateChangeReason]
    STATE_CHANGE_REASON_LINK_SUPERSEDED: _ClassVar[StateChangeReason]
    STATE_CHANGE_REASON_UNREGISTERED: _ClassVar[StateChangeReason]
    STATE_CHANGE_REASON_EXPIRED: _ClassVar[StateChangeReason]
    STATE_CHANGE_REASON_REPLICA_RESTARTED: _ClassVar[StateChangeReason]
    STATE_CHANGE_REASON_REPLICA_STOPPED: _ClassVar[StateChangeReason]
    STATE_CHANGE_REASON_ADDRESS_REASSIGNED: _ClassVar[StateChangeReason]
    STATE_CHANGE_REASON_CERTIFICATE_ENDED: _ClassVar[StateChangeReason]
    STATE_CHANGE_REASON_REPLICA_LOST: _ClassVar[StateChangeReason]

class AddressReleaseReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ADDRESS_RELEASE_REASON_UNSPECIFIED: _ClassVar[AddressReleaseReason]
    ADDRESS_RELEASE_REASON_UNREGISTERED: _ClassVar[AddressReleaseReason]
    ADDRESS_RELEASE_REASON_RECLAIMED: _ClassVar[AddressReleaseReason]
    ADDRESS_RELEASE_REASON_NETWORK_CHANGED: _ClassVar[AddressReleaseReason]
    ADDRESS_RELEASE_REASON_REASSIGNED: _ClassVar[AddressReleaseReason]

class UnregisterReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNREGISTER_REASON_UNSPECIFIED: _ClassVar[UnregisterReason]
    UNREGISTER_REASON_REQUESTED: _ClassVar[UnregisterReason]

class AdministratorRole(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ADMINISTRATOR_ROLE_UNSPECIFIED: _ClassVar[AdministratorRole]
    ADMINISTRATOR_ROLE_ADMIN: _ClassVar[AdministratorRole]
    ADMINISTRATOR_ROLE_VIEWER: _ClassVar[AdministratorRole]

class AdministratorRevocationReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ADMINISTRATOR_REVOCATION_REASON_UNSPECIFIED: _ClassVar[AdministratorRevocationReason]
    ADMINISTRATOR_REVOCATION_REASON_REQUESTED: _ClassVar[AdministratorRevocationReason]
    ADMINISTRATOR_REVOCATION_REASON_REPLACED: _ClassVar[AdministratorRevocationReason]
INVITATION_END_REASON_UNSPECIFIED: InvitationEndReason
INVITATION_END_REASON_REVOKED: InvitationEndReason
INVITATION_END_REASON_EXPIRED: InvitationEndReason
CERTIFICATE_AUTHORITY_UNSPECIFIED: CertificateAuthority
CERTIFICATE_AUTHORITY_GRPC: CertificateAuthority
CERTIFICATE_AUTHORITY_NETWORK: CertificateAuthority
CONNECTION_STATE_UNSPECIFIED: ConnectionState
CONNECTION_STATE_IDLE: ConnectionState
CONNECTION_STATE_INIT: ConnectionState
CONNECTION_STATE_CONNECTED: ConnectionState
STATE_CHANGE_REASON_UNSPECIFIED: StateChangeReason
STATE_CHANGE_REASON_LINK_ACCEPTED: StateChangeReason
STATE_CHANGE_REASON_ADDRESS_HANDED_OVER: StateChangeReason
STATE_CHANGE_REASON_LINK_CLOSED: StateChangeReason
STATE_CHANGE_REASON_LINK_SILENT: StateChangeReason
STATE_CHANGE_REASON_LINK_REFUSED: StateChangeReason
STATE_CHANGE_REASON_LINK_SUPERSEDED: StateChangeReason
STATE_CHANGE_REASON_UNREGISTERED: StateChangeReason
STATE_CHANGE_REASON_EXPIRED: StateChangeReason
STATE_CHANGE_REASON_REPLICA_RESTARTED: StateChangeReason
STATE_CHANGE_REASON_REPLICA_STOPPED: StateChangeReason
STATE_CHANGE_REASON_ADDRESS_REASSIGNED: StateChangeReason
STATE_CHANGE_REASON_CERTIFICATE_ENDED: StateChangeReason
STATE_CHANGE_REASON_REPLICA_LOST: StateChangeReason
ADDRESS_RELEASE_REASON_UNSPECIFIED: AddressReleaseReason
ADDRESS_RELEASE_REASON_UNREGISTERED: AddressReleaseReason
ADDRESS_RELEASE_REASON_RECLAIMED: AddressReleaseReason
ADDRESS_RELEASE_REASON_NETWORK_CHANGED: AddressReleaseReason
ADDRESS_RELEASE_REASON_REASSIGNED: AddressReleaseReason
UNREGISTER_REASON_UNSPECIFIED: UnregisterReason
UNREGISTER_REASON_REQUESTED: UnregisterReason
ADMINISTRATOR_ROLE_UNSPECIFIED: AdministratorRole
ADMINISTRATOR_ROLE_ADMIN: AdministratorRole
ADMINISTRATOR_ROLE_VIEWER: AdministratorRole
ADMINISTRATOR_REVOCATION_REASON_UNSPECIFIED: AdministratorRevocationReason
ADMINISTRATOR_REVOCATION_REASON_REQUESTED: AdministratorRevocationReason
ADMINISTRATOR_REVOCATION_REASON_REPLACED: AdministratorRevocationReason

class Batch(_message.Message):
    __slots__ = ("entries",)
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[Entry]
    def __init__(self, entries: _Optional[_Iterable[_Union[Entry, _Mapping]]] = ...) -> None: ...

class Entry(_message.Message):
    __slots__ = ("recorded_at_ns", "actor", "method", "request_id", "events")
    RECORDED_AT_NS_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    recorded_at_ns: int
    actor: str
    method: str
    request_id: str
    events: _containers.RepeatedCompositeFieldContainer[Event]
    def __init__(self, recorded_at_ns: _Optional[int] = ..., actor: _Optional[str] = ..., method: _Optional[str] = ..., request_id: _Optional[str] = ..., events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("replica_started", "replica_stopped", "token_issued", "token_expired", "node_registered", "state_changed", "address_bound", "address_released", "expiry_changed", "unregistered", "digest_recorded", "log_repaired", "node_forgotten", "node_updated", "node_facts_reported", "certificates_renewed", "token_revoked", "administrator_added", "administrator_revoked", "litekube_imported", "replica_invited", "invitation_redeemed", "invitation_ended", "replica_removed", "leader_elected", "replica_lost", "replica_address_bound")
    REPLICA_STARTED_FIELD_NUMBER: _ClassVar[int]
    REPLICA_STOPPED_FIELD_NUMBER: _ClassVar[int]
    TOKEN_ISSUED_FIELD_NUMBER: _ClassVar[int]
    TOKEN_EXPIRED_FIELD_NUMBER: _ClassVar[int]
    NODE_REGISTERED_FIELD_NUMBER: _ClassVar[int]
    STATE_CHANGED_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_BOUND_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_RELEASED_FIELD_NUMBER: _ClassVar[int]
    EXPIRY_CHANGED_FIELD_NUMBER: _ClassVar[int]
    UNREGISTERED_FIELD_NUMBER: _ClassVar[int]
    DIGEST_RECORDED_FIELD_NUMBER: _ClassVar[int]
    LOG_REPAIRED_FIELD_NUMBER: _ClassVar[int]
    NODE_FORGOTTEN_FIELD_NUMBER: _ClassVar[int]
    NODE_UPDATED_FIELD_NUMBER: _ClassVar[int]
    NODE_FACTS_REPORTED_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATES_RENEWED_FIELD_NUMBER: _ClassVar[int]
    TOKEN_REVOKED_FIELD_NUMBER: _ClassVar[int]
    ADMINISTRATOR_ADDED_FIELD_NUMBER: _ClassVar[int]
    ADMINISTRATOR_REVOKED_FIELD_NUMBER: _ClassVar[int]
    LITEKUBE_IMPORTED_FIELD_NUMBER: _ClassVar[int]
    REPLICA_INVITED_FIELD_NUMBER: _ClassVar[int]
    INVITATION_REDEEMED_FIELD_NUMBER: _ClassVar[int]
    INVITATION_ENDED_FIELD_NUMBER: _ClassVar[int]
    REPLICA_REMOVED_FIELD_NUMBER: _ClassVar[int]
    LEADER_ELECTED_FIELD_NUMBER: _ClassVar[int]
    REPLICA_LOST_FIELD_NUMBER: _ClassVar[int]
    REPLICA_ADDRESS_BOUND_FIELD_NUMBER: _ClassVar[int]
    replica_started: ReplicaStarted
    replica_stopped: ReplicaStopped
    token_issued: TokenIssued
    token_expired: TokenExpired
    node_registered: NodeRegistered
    state_changed: StateChanged
    address_bound: AddressBound
    address_released: AddressReleased
    expiry_changed: ExpiryChanged
    unregistered: Unregistered
    digest_recorded: DigestRecorded
    log_repaired: LogRepaired
    node_forgotten: NodeForgotten
    node_updated: NodeUpdated
    node_facts_reported: NodeFactsReported
    certificates_renewed: CertificatesRenewed
    token_revoked: TokenRevoked
    administrator_added: AdministratorAdded
    administrator_revoked: AdministratorRevoked
    litekube_imported: LitekubeImported
    replica_invited: ReplicaInvited
    invitation_redeemed: InvitationRedeemed
    invitation_ended: InvitationEnded
    replica_removed: ReplicaRemoved
    leader_elected: LeaderElected
    replica_lost: ReplicaLost
    replica_address_bound: ReplicaAddressBound
    def __init__(self, replica_started: _Optional[_Union[ReplicaStarted, _Mapping]] = ..., replica_stopped: _Optional[_Union[ReplicaStopped, _Mapping]] = ..., token_issued: _Optional[_Union[TokenIssued, _Mapping]] = ..., token_expired: _Optional[_Union[TokenExpired, _Mapping]] = ..., node_registered: _Optional[_Union[NodeRegistered, _Mapping]] = ..., state_changed: _Optional[_Union[StateChanged, _Mapping]] = ..., address_bound: _Optional[_Union[AddressBound, _Mapping]] = ..., address_released: _Optional[_Union[AddressReleased, _Mapping]] = ..., expiry_changed: _Optional[_Union[ExpiryChanged, _Mapping]] = ..., unregistered: _Optional[_Union[Unregistered, _Mapping]] = ..., digest_recorded: _Optional[_Union[DigestRecorded, _Mapping]] = ..., log_repaired: _Optional[_Union[LogRepaired, _Mapping]] = ..., node_forgotten: _Optional[_Union[NodeForgotten, _Mapping]] = ..., node_updated: _Optional[_Union[NodeUpdated, _Mapping]] = ..., node_facts_reported: _Optional[_Union[NodeFactsReported, _Mapping]] = ..., certificates_renewed: _Optional[_Union[CertificatesRenewed, _Mapping]] = ..., token_revoked: _Optional[_Union[TokenRevoked, _Mapping]] = ..., administrator_added: _Optional[_Union[AdministratorAdded, _Mapping]] = ..., administrator_revoked: _Optional[_Union[AdministratorRevoked, _Mapping]] = ..., litekube_imported: _Optional[_Union[LitekubeImported, _Mapping]] = ..., replica_invited: _Optional[_Union[ReplicaInvited, _Mapping]] = ..., invitation_redeemed: _Optional[_Union[InvitationRedeemed, _Mapping]] = ..., invitation_ended: _Optional[_Union[InvitationEnded, _Mapping]] = ..., replica_removed: _Optional[_Union[ReplicaRemoved, _Mapping]] = ..., leader_elected: _Optional[_Union[LeaderElected, _Mapping]] = ..., replica_lost: _Optional[_Union[ReplicaLost, _Mapping]] = ..., replica_address_bound: _Optional[_Union[ReplicaAddressBound, _Mapping]] = ...) -> None: ...

class ReplicaStarted(_message.Message):
    __slots__ = ("replica_id", "version", "network_address", "key_check", "grpc_authority", "network_authority", "session", "is_alone", "level")
    REPLICA_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    NETWORK_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    KEY_CHECK_FIELD_NUMBER: _ClassVar[int]
    GRPC_AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    NETWORK_AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    IS_ALONE_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    replica_id: str
    version: str
    network_address: str
    key_check: str
    grpc_authority: str
    network_authority: str
    session: str
    is_alone: bool
    level: int
    def __init__(self, replica_id: _Optional[str] = ..., version: _Optional[str] = ..., network_address: _Optional[str] = ..., key_check: _Optional[str] = ..., grpc_authority: _Optional[str] = ..., network_authority: _Optional[str] = ..., session: _Optional[str] = ..., is_alone: _Optional[bool] = ..., level: _Optional[int] = ...) -> None: ...

class ReplicaStopped(_message.Message):
    __slots__ = ("replica_id", "session")
    REPLICA_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    replica_id: str
    session: str
    def __init__(self, replica_id: _Optional[str] = ..., session: _Optional[str] = ...) -> None: ...

class ReplicaInvited(_message.Message):
    __slots__ = ("invitation_id", "expires_at_ms")
    INVITATION_ID_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_MS_FIELD_NUMBER: _ClassVar[int]
    invitation_id: str
    expires_at_ms: int
    def __init__(self, invitation_id: _Optional[str] = ..., expires_at_ms: _Optional[int] = ...) -> None: ...

class InvitationRedeemed(_message.Message):
    __slots__ = ("invitation_id", "replica_id", "peer_address", "attempt_id")
    INVITATION_ID_FIELD_NUMBER: _ClassVar[int]
    REPLICA_ID_FIELD_NUMBER: _ClassVar[int]
    PEER_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_ID_FIELD_NUMBER: _ClassVar[int]
    invitation_id: str
    replica_id: str
    peer_address: str
    attempt_id: str
    def __init__(self, invitation_id: _Optional[str] = ..., replica_id: _Optional[str] = ..., peer_address: _Optional[str] = ..., attempt_id: _Optional[str] = ...) -> None: ...

class InvitationEnded(_message.Message):
    __slots__ = ("invitation_id", "reason")
    INVITATION_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    invitation_id: str
    reason: InvitationEndReason
    def __init__(self, invitation_id: _Optional[str] = ..., reason: _Optional[_Union[InvitationEndReason, str]] = ...) -> None: ...

class ReplicaRemoved(_message.Message):
    __slots__ = ("replica_id",)
    REPLICA_ID_FIELD_NUMBER: _ClassVar[int]
    replica_id: str
    def __init__(self, replica_id: _Optional[str] = ...) -> None: ...

class LeaderElected(_message.Message):
    __slots__ = ("session", "epoch", "address", "level")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    session: str
    epoch: int
    address: str
    level: int
    def __init__(self, session: _Optional[str] = ..., epoch: _Optional[int] = ..., address: _Optional[str] = ..., level: _Optional[int] = ...) -> None: ...

class ReplicaLost(_message.Message):
    __slots__ = ("session",)
    SESSION_FIELD_NUMBER: _ClassVar[int]
    session: str
    def __init__(self, session: _Optional[str] = ...) -> None: ...

class ReplicaAddressBound(_message.Message):
    __slots__ = ("session", "address")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    session: str
    address: str
    def __init__(self, session: _Optional[str] = ..., address: _Optional[str] = ...) -> None: ...

class TokenIssued(_message.Message):
    __slots__ = ("token_id", "expires_at_ms", "label", "max_uses", "max_nodes", "node_labels", "node_name_prefix")
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_MS_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    MAX_USES_FIELD_NUMBER: _ClassVar[int]
    MAX_NODES_FIELD_NUMBER: _ClassVar[int]
    NODE_LABELS_FIELD_NUMBER: _ClassVar[int]
    NODE_NAME_PREFIX_FIELD_NUMBER: _ClassVar[int]
    token_id: str
    expires_at_ms: int
    label: str
    max_uses: int
    max_nodes: int
    node_labels: _containers.RepeatedCompositeFieldContainer[Label]
    node_name_prefix: str
    def __init__(self, token_id: _Optional[str] = ..., expires_at_ms: _Optional[int] = ..., label: _Optional[str] = ..., max_uses: _Optional[int] = ..., max_nodes: _Optional[int] = ..., node_labels: _Optional[_Iterable[_Union[Label, _Mapping]]] = ..., node_name_prefix: _Optional[str] = ...) -> None: ...

class Label(_message.Message):
    __slots__ = ("key", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: str
    value: str
    def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class TokenRevoked(_message.Message):
    __slots__ = ("token_id",)
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    token_id: str
    def __init__(self, token_id: _Optional[str] = ...) -> None: ...

class TokenExpired(_message.Message):
    __slots__ = ("token_id",)
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    token_id: str
    def __init__(self, token_id: _Optional[str] = ...) -> None: ...

class NodeRegistered(_message.Message):
    __slots__ = ("node_id", "token_id", "certificates", "taken_back", "name", "labels", "facts", "key_sha256", "attempt_id", "imported")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATES_FIELD_NUMBER: _ClassVar[int]
    TAKEN_BACK_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    KEY_SHA256_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_ID_FIELD_NUMBER: _ClassVar[int]
    IMPORTED_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    token_id: str
    certificates: _containers.RepeatedCompositeFieldContainer[Certificate]
    taken_back: bool
    name: str
    labels: _containers.RepeatedCompositeFieldContainer[Label]
    facts: NodeFacts
    key_sha256: str
    attempt_id: str
    imported: bool
    def __init__(self, node_id: _Optional[str] = ..., token_id: _Optional[str] = ..., certificates: _Optional[_Iterable[_Union[Certificate, _Mapping]]] = ..., taken_back: _Optional[bool] = ..., name: _Optional[str] = ..., labels: _Optional[_Iterable[_Union[Label, _Mapping]]] = ..., facts: _Optional[_Union[NodeFacts, _Mapping]] = ..., key_sha256: _Optional[str] = ..., attempt_id: _Optional[str] = ..., imported: _Optional[bool] = ...) -> None: ...

class NodeFacts(_message.Message):
    __slots__ = ("hostname", "os", "architecture", "agent_version", "peer_address")
    HOSTNAME_FIELD_NUMBER: _ClassVar[int]
    OS_FIELD_NUMBER: _ClassVar[int]
    ARCHITECTURE_FIELD_NUMBER: _ClassVar[int]
    AGENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    PEER_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    hostname: str
    os: str
    architecture: str
    agent_version: str
    peer_address: str
    def __init__(self, hostname: _Optional[str] = ..., os: _Optional[str] = ..., architecture: _Optional[str] = ..., agent_version: _Optional[str] = ..., peer_address: _Optional[str] = ...) -> None: ...

class NodeUpdated(_message.Message):
    __slots__ = ("node_id", "name", "labels", "note")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    name: str
    labels: Labels
    note: str
    def __init__(self, node_id: _Optional[str] = ..., name: _Optional[str] = ..., labels: _Optional[_Union[Labels, _Mapping]] = ..., note: _Optional[str] = ...) -> None: ...

class Labels(_message.Message):
    __slots__ = ("labels",)
    LABELS_FIELD_NUMBER: _ClassVar[int]
    labels: _containers.RepeatedCompositeFieldContainer[Label]
    def __init__(self, labels: _Optional[_Iterable[_Union[Label, _Mapping]]] = ...) -> None: ...

class NodeFactsReported(_message.Message):
    __slots__ = ("node_id", "facts")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    facts: NodeFacts
    def __init__(self, node_id: _Optional[str] = ..., facts: _Optional[_Union[NodeFacts, _Mapping]] = ...) -> None: ...

class CertificatesRenewed(_message.Message):
    __slots__ = ("node_id", "certificates", "key_sha256")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATES_FIELD_NUMBER: _ClassVar[int]
    KEY_SHA256_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    certificates: _containers.RepeatedCompositeFieldContainer[Certificate]
    key_sha256: str
    def __init__(self, node_id: _Optional[str] = ..., certificates: _Optional[_Iterable[_Union[Certificate, _Mapping]]] = ..., key_sha256: _Optional[str] = ...) -> None: ...

class Certificate(_message.Message):
    __slots__ = ("authority", "serial", "not_after_ms")
    AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    SERIAL_FIELD_NUMBER: _ClassVar[int]
    NOT_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    authority: CertificateAuthority
    serial: str
    not_after_ms: int
    def __init__(self, authority: _Optional[_Union[CertificateAuthority, str]] = ..., serial: _Optional[str] = ..., not_after_ms: _Optional[int] = ...) -> None: ...

class StateChanged(_message.Message):
    __slots__ = ("node_id", "from_state", "to_state", "link_id", "reason", "session")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_STATE_FIELD_NUMBER: _ClassVar[int]
    TO_STATE_FIELD_NUMBER: _ClassVar[int]
    LINK_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    from_state: ConnectionState
    to_state: ConnectionState
    link_id: str
    reason: StateChangeReason
    session: str
    def __init__(self, node_id: _Optional[str] = ..., from_state: _Optional[_Union[ConnectionState, str]] = ..., to_state: _Optional[_Union[ConnectionState, str]] = ..., link_id: _Optional[str] = ..., reason: _Optional[_Union[StateChangeReason, str]] = ..., session: _Optional[str] = ...) -> None: ...

class AddressBound(_message.Message):
    __slots__ = ("node_id", "address", "assigned")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    ASSIGNED_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    address: str
    assigned: bool
    def __init__(self, node_id: _Optional[str] = ..., address: _Optional[str] = ..., assigned: _Optional[bool] = ...) -> None: ...

class AddressReleased(_message.Message):
    __slots__ = ("node_id", "address", "reason")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    address: str
    reason: AddressReleaseReason
    def __init__(self, node_id: _Optional[str] = ..., address: _Optional[str] = ..., reason: _Optional[_Union[AddressReleaseReason, str]] = ...) -> None: ...

class ExpiryChanged(_message.Message):
    __slots__ = ("node_id", "expires_at_ms")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_MS_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    expires_at_ms: int
    def __init__(self, node_id: _Optional[str] = ..., expires_at_ms: _Optional[int] = ...) -> None: ...

class Unregistered(_message.Message):
    __slots__ = ("node_id", "reason", "remembered_until_ms")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REMEMBERED_UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    reason: UnregisterReason
    remembered_until_ms: int
    def __init__(self, node_id: _Optional[str] = ..., reason: _Optional[_Union[UnregisterReason, str]] = ..., remembered_until_ms: _Optional[int] = ...) -> None: ...

class NodeForgotten(_message.Message):
    __slots__ = ("node_id",)
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    def __init__(self, node_id: _Optional[str] = ...) -> None: ...

class AdministratorAdded(_message.Message):
    __slots__ = ("name", "role", "certificate", "installed")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    INSTALLED_FIELD_NUMBER: _ClassVar[int]
    name: str
    role: AdministratorRole
    certificate: Certificate
    installed: bool
    def __init__(self, name: _Optional[str] = ..., role: _Optional[_Union[AdministratorRole, str]] = ..., certificate: _Optional[_Union[Certificate, _Mapping]] = ..., installed: _Optional[bool] = ...) -> None: ...

class AdministratorRevoked(_message.Message):
    __slots__ = ("serial", "reason")
    SERIAL_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    serial: str
    reason: AdministratorRevocationReason
    def __init__(self, serial: _Optional[str] = ..., reason: _Optional[_Union[AdministratorRevocationReason, str]] = ...) -> None: ...

class LitekubeImported(_message.Message):
    __slots__ = ("database_sha256", "tokens", "nodes")
    DATABASE_SHA256_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    database_sha256: str
    tokens: int
    nodes: int
    def __init__(self, database_sha256: _Optional[str] = ..., tokens: _Optional[int] = ..., nodes: _Optional[int] = ...) -> None: ...

class DigestRecorded(_message.Message):
    __slots__ = ("seq", "digest")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    seq: int
    digest: str
    def __init__(self, seq: _Optional[int] = ..., digest: _Optional[str] = ...) -> None: ...

class LogRepaired(_message.Message):
    __slots__ = ("lost_through_seq", "damage", "kept_in")
    LOST_THROUGH_SEQ_FIELD_NUMBER: _ClassVar[int]
    DAMAGE_FIELD_NUMBER: _ClassVar[int]
    KEPT_IN_FIELD_NUMBER: _ClassVar[int]
    lost_through_seq: int
    damage: str
    kept_in: str
    def __init__(self, lost_through_seq: _Optional[int] = ..., damage: _Optional[str] = ..., kept_in: _Optional[str] = ...) -> None: ...
