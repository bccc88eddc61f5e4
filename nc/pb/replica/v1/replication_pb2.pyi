from nc.pb import events_pb2 as _events_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FromFollower(_message.Message):
    __slots__ = ("session", "sent_ns", "applied_seq", "asked_ns", "leaves", "peer", "waiting")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    SENT_NS_FIELD_NUMBER: _ClassVar[int]
    APPLIED_SEQ_FIELD_NUMBER: _ClassVar[int]
    ASKED_NS_FIELD_NUMBER: _ClassVar[int]
    LEAVES_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    session: str
    sent_ns: int
    applied_seq: int
    asked_ns: int
    leaves: bool
    peer: Peer
    waiting: _containers.RepeatedCompositeFieldContainer[WaitingNode]
    def __init__(self, session: _Optional[str] = ..., sent_ns: _Optional[int] = ..., applied_seq: _Optional[int] = ..., asked_ns: _Optional[int] = ..., leaves: _Optional[bool] = ..., peer: _Optional[_Union[Peer, _Mapping]] = ..., waiting: _Optional[_Iterable[_Union[WaitingNode, _Mapping]]] = ...) -> None: ...

class WaitingNode(_message.Message):
    __slots__ = ("node_id", "certificate", "address", "key_sha256", "hostname", "peer", "asked_at_ms")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    KEY_SHA256_FIELD_NUMBER: _ClassVar[int]
    HOSTNAME_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    ASKED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    certificate: _events_pb2.Certificate
    address: str
    key_sha256: str
    hostname: str
    peer: str
    asked_at_ms: int
    def __init__(self, node_id: _Optional[str] = ..., certificate: _Optional[_Union[_events_pb2.Certificate, _Mapping]] = ..., address: _Optional[str] = ..., key_sha256: _Optional[str] = ..., hostname: _Optional[str] = ..., peer: _Optional[str] = ..., asked_at_ms: _Optional[int] = ...) -> None: ...

class FromLeader(_message.Message):
    __slots__ = ("epoch", "sent_ns", "granted_ns", "acknowledged_seq", "is_beat", "peers", "waits_for")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SENT_NS_FIELD_NUMBER: _ClassVar[int]
    GRANTED_NS_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_SEQ_FIELD_NUMBER: _ClassVar[int]
    IS_BEAT_FIELD_NUMBER: _ClassVar[int]
    PEERS_FIELD_NUMBER: _ClassVar[int]
    WAITS_FOR_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    sent_ns: int
    granted_ns: int
    acknowledged_seq: int
    is_beat: bool
    peers: _containers.RepeatedCompositeFieldContainer[Peer]
    waits_for: str
    def __init__(self, epoch: _Optional[int] = ..., sent_ns: _Optional[int] = ..., granted_ns: _Optional[int] = ..., acknowledged_seq: _Optional[int] = ..., is_beat: _Optional[bool] = ..., peers: _Optional[_Iterable[_Union[Peer, _Mapping]]] = ..., waits_for: _Optional[str] = ...) -> None: ...

class Peer(_message.Message):
    __slots__ = ("session", "host", "link_port", "bootstrap_port")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    LINK_PORT_FIELD_NUMBER: _ClassVar[int]
    BOOTSTRAP_PORT_FIELD_NUMBER: _ClassVar[int]
    session: str
    host: str
    link_port: int
    bootstrap_port: int
    def __init__(self, session: _Optional[str] = ..., host: _Optional[str] = ..., link_port: _Optional[int] = ..., bootstrap_port: _Optional[int] = ...) -> None: ...

class ForwardRequest(_message.Message):
    __slots__ = ("session", "call", "change")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    session: str
    call: Call
    change: Change
    def __init__(self, session: _Optional[str] = ..., call: _Optional[_Union[Call, _Mapping]] = ..., change: _Optional[_Union[Change, _Mapping]] = ...) -> None: ...

class Call(_message.Message):
    __slots__ = ("path", "request", "request_id", "caller_kind", "actor", "node_id", "not_after_ms", "serial", "peer")
    PATH_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CALLER_KIND_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    NOT_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    SERIAL_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    path: str
    request: bytes
    request_id: str
    caller_kind: str
    actor: str
    node_id: str
    not_after_ms: int
    serial: str
    peer: str
    def __init__(self, path: _Optional[str] = ..., request: _Optional[bytes] = ..., request_id: _Optional[str] = ..., caller_kind: _Optional[str] = ..., actor: _Optional[str] = ..., node_id: _Optional[str] = ..., not_after_ms: _Optional[int] = ..., serial: _Optional[str] = ..., peer: _Optional[str] = ...) -> None: ...

class Change(_message.Message):
    __slots__ = ("actor", "method", "request_id", "accept_link", "hand_over_address", "drop_link", "report_facts", "start_replica", "stop_replica", "add_administrator")
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_LINK_FIELD_NUMBER: _ClassVar[int]
    HAND_OVER_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    DROP_LINK_FIELD_NUMBER: _ClassVar[int]
    REPORT_FACTS_FIELD_NUMBER: _ClassVar[int]
    START_REPLICA_FIELD_NUMBER: _ClassVar[int]
    STOP_REPLICA_FIELD_NUMBER: _ClassVar[int]
    ADD_ADMINISTRATOR_FIELD_NUMBER: _ClassVar[int]
    actor: str
    method: str
    request_id: str
    accept_link: AcceptLink
    hand_over_address: HandOverAddress
    drop_link: DropLink
    report_facts: ReportFacts
    start_replica: StartReplica
    stop_replica: StopReplica
    add_administrator: AddAdministrator
    def __init__(self, actor: _Optional[str] = ..., method: _Optional[str] = ..., request_id: _Optional[str] = ..., accept_link: _Optional[_Union[AcceptLink, _Mapping]] = ..., hand_over_address: _Optional[_Union[HandOverAddress, _Mapping]] = ..., drop_link: _Optional[_Union[DropLink, _Mapping]] = ..., report_facts: _Optional[_Union[ReportFacts, _Mapping]] = ..., start_replica: _Optional[_Union[StartReplica, _Mapping]] = ..., stop_replica: _Optional[_Union[StopReplica, _Mapping]] = ..., add_administrator: _Optional[_Union[AddAdministrator, _Mapping]] = ...) -> None: ...

class AcceptLink(_message.Message):
    __slots__ = ("node_id", "link_id", "now_ms", "session", "reclaim_after_ms")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    LINK_ID_FIELD_NUMBER: _ClassVar[int]
    NOW_MS_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    RECLAIM_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    link_id: str
    now_ms: int
    session: str
    reclaim_after_ms: int
    def __init__(self, node_id: _Optional[str] = ..., link_id: _Optional[str] = ..., now_ms: _Optional[int] = ..., session: _Optional[str] = ..., reclaim_after_ms: _Optional[int] = ...) -> None: ...

class HandOverAddress(_message.Message):
    __slots__ = ("node_id", "link_id", "now_ms", "wanted", "avoided", "reclaim_after_ms")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    LINK_ID_FIELD_NUMBER: _ClassVar[int]
    NOW_MS_FIELD_NUMBER: _ClassVar[int]
    WANTED_FIELD_NUMBER: _ClassVar[int]
    AVOIDED_FIELD_NUMBER: _ClassVar[int]
    RECLAIM_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    link_id: str
    now_ms: int
    wanted: str
    avoided: _containers.RepeatedScalarFieldContainer[str]
    reclaim_after_ms: int
    def __init__(self, node_id: _Optional[str] = ..., link_id: _Optional[str] = ..., now_ms: _Optional[int] = ..., wanted: _Optional[str] = ..., avoided: _Optional[_Iterable[str]] = ..., reclaim_after_ms: _Optional[int] = ...) -> None: ...

class DropLink(_message.Message):
    __slots__ = ("node_id", "link_id", "reason")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    LINK_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    link_id: str
    reason: _events_pb2.StateChangeReason
    def __init__(self, node_id: _Optional[str] = ..., link_id: _Optional[str] = ..., reason: _Optional[_Union[_events_pb2.StateChangeReason, str]] = ...) -> None: ...

class ReportFacts(_message.Message):
    __slots__ = ("node_id", "facts", "link_id")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    LINK_ID_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    facts: _events_pb2.NodeFacts
    link_id: str
    def __init__(self, node_id: _Optional[str] = ..., facts: _Optional[_Union[_events_pb2.NodeFacts, _Mapping]] = ..., link_id: _Optional[str] = ...) -> None: ...

class StartReplica(_message.Message):
    __slots__ = ("replica_id", "version", "network_address", "key_check", "grpc_authority", "network_authority", "session", "level")
    REPLICA_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    NETWORK_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    KEY_CHECK_FIELD_NUMBER: _ClassVar[int]
    GRPC_AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    NETWORK_AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    replica_id: str
    version: str
    network_address: str
    key_check: str
    grpc_authority: str
    network_authority: str
    session: str
    level: int
    def __init__(self, replica_id: _Optional[str] = ..., version: _Optional[str] = ..., network_address: _Optional[str] = ..., key_check: _Optional[str] = ..., grpc_authority: _Optional[str] = ..., network_authority: _Optional[str] = ..., session: _Optional[str] = ..., level: _Optional[int] = ...) -> None: ...

class StopReplica(_message.Message):
    __slots__ = ("replica_id", "session")
    REPLICA_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    replica_id: str
    session: str
    def __init__(self, replica_id: _Optional[str] = ..., session: _Optional[str] = ...) -> None: ...

class AddAdministrator(_message.Message):
    __slots__ = ("name", "role", "certificate")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    name: str
    role: _events_pb2.AdministratorRole
    certificate: _events_pb2.Certificate
    def __init__(self, name: _Optional[str] = ..., role: _Optional[_Union[_events_pb2.AdministratorRole, str]] = ..., certificate: _Optional[_Union[_events_pb2.Certificate, _Mapping]] = ...) -> None: ...

class ForwardResponse(_message.Message):
    __slots__ = ("seq", "answer", "status", "refusal", "is_wrong_token", "target")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    IS_WRONG_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    seq: int
    answer: Answer
    status: Status
    refusal: Refusal
    is_wrong_token: bool
    target: Target
    def __init__(self, seq: _Optional[int] = ..., answer: _Optional[_Union[Answer, _Mapping]] = ..., status: _Optional[_Union[Status, _Mapping]] = ..., refusal: _Optional[_Union[Refusal, _Mapping]] = ..., is_wrong_token: _Optional[bool] = ..., target: _Optional[_Union[Target, _Mapping]] = ...) -> None: ...

class Target(_message.Message):
    __slots__ = ("node_id", "name", "count")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    name: str
    count: int
    def __init__(self, node_id: _Optional[str] = ..., name: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("response", "code", "message")
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    response: bytes
    code: str
    message: str
    def __init__(self, response: _Optional[bytes] = ..., code: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class Status(_message.Message):
    __slots__ = ("code", "message")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    code: int
    message: str
    def __init__(self, code: _Optional[int] = ..., message: _Optional[str] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("kind", "message")
    KIND_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    kind: str
    message: str
    def __init__(self, kind: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...
