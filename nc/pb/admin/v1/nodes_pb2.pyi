from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class NodeState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NODE_STATE_UNSPECIFIED: _ClassVar[NodeState]
    NODE_STATE_IDLE: _ClassVar[NodeState]
    NODE_STATE_INIT: _ClassVar[NodeState]
    NODE_STATE_CONNECTED: _ClassVar[NodeState]

class NodeOrder(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NODE_ORDER_UNSPECIFIED: _ClassVar[NodeOrder]
    NODE_ORDER_NAME: _ClassVar[NodeOrder]
    NODE_ORDER_ADDRESS: _ClassVar[NodeOrder]
    NODE_ORDER_REGISTERED: _ClassVar[NodeOrder]
    NODE_ORDER_STATE_SINCE: _ClassVar[NodeOrder]
    NODE_ORDER_EXPIRY: _ClassVar[NodeOrder]
    NODE_ORDER_CERTIFICATES_END: _ClassVar[NodeOrder]
    NODE_ORDER_LINKS: _ClassVar[NodeOrder]
NODE_STATE_UNSPECIFIED: NodeState
NODE_STATE_IDLE: NodeState
NODE_STATE_INIT: NodeState
NODE_STATE_CONNECTED: NodeState
NODE_ORDER_UNSPECIFIED: NodeOrder
NODE_ORDER_NAME: NodeOrder
NODE_ORDER_ADDRESS: NodeOrder
NODE_ORDER_REGISTERED: NodeOrder
NODE_ORDER_STATE_SINCE: NodeOrder
NODE_ORDER_EXPIRY: NodeOrder
NODE_ORDER_CERTIFICATES_END: NodeOrder
NODE_ORDER_LINKS: NodeOrder

class Node(_message.Message):
    __slots__ = ("id", "name", "labels", "note", "facts", "state", "state_since_ms", "address", "address_assigned", "registered_at_ms", "token_id", "expires_at_ms", "expired", "certificates_end_ms", "renewable", "links", "link")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STATE_SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_ASSIGNED_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_MS_FIELD_NUMBER: _ClassVar[int]
    EXPIRED_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATES_END_MS_FIELD_NUMBER: _ClassVar[int]
    RENEWABLE_FIELD_NUMBER: _ClassVar[int]
    LINKS_FIELD_NUMBER: _ClassVar[int]
    LINK_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    labels: _containers.ScalarMap[str, str]
    note: str
    facts: NodeFacts
    state: NodeState
    state_since_ms: int
    address: str
    address_assigned: bool
    registered_at_ms: int
    token_id: str
    expires_at_ms: int
    expired: bool
    certificates_end_ms: int
    renewable: bool
    links: int
    link: Link
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., note: _Optional[str] = ..., facts: _Optional[_Union[NodeFacts, _Mapping]] = ..., state: _Optional[_Union[NodeState, str]] = ..., state_since_ms: _Optional[int] = ..., address: _Optional[str] = ..., address_assigned: _Optional[bool] = ..., registered_at_ms: _Optional[int] = ..., token_id: _Optional[str] = ..., expires_at_ms: _Optional[int] = ..., expired: _Optional[bool] = ..., certificates_end_ms: _Optional[int] = ..., renewable: _Optional[bool] = ..., links: _Optional[int] = ..., link: _Optional[_Union[Link, _Mapping]] = ...) -> None: ...

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

class Link(_message.Message):
    __slots__ = ("link_id", "peer", "opened_at_ms", "packets_in", "packets_out", "bytes_in", "bytes_out", "dropped")
    class DroppedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    LINK_ID_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    OPENED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    PACKETS_IN_FIELD_NUMBER: _ClassVar[int]
    PACKETS_OUT_FIELD_NUMBER: _ClassVar[int]
    BYTES_IN_FIELD_NUMBER: _ClassVar[int]
    BYTES_OUT_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    link_id: str
    peer: str
    opened_at_ms: int
    packets_in: int
    packets_out: int
    bytes_in: int
    bytes_out: int
    dropped: _containers.ScalarMap[str, int]
    def __init__(self, link_id: _Optional[str] = ..., peer: _Optional[str] = ..., opened_at_ms: _Optional[int] = ..., packets_in: _Optional[int] = ..., packets_out: _Optional[int] = ..., bytes_in: _Optional[int] = ..., bytes_out: _Optional[int] = ..., dropped: _Optional[_Mapping[str, int]] = ...) -> None: ...

class ListNodesRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "filter", "order", "descending")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    DESCENDING_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    filter: NodeFilter
    order: NodeOrder
    descending: bool
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., filter: _Optional[_Union[NodeFilter, _Mapping]] = ..., order: _Optional[_Union[NodeOrder, str]] = ..., descending: _Optional[bool] = ...) -> None: ...

class NodeFilter(_message.Message):
    __slots__ = ("states", "selector", "text", "token_id", "unrenewable_until_ms")
    STATES_FIELD_NUMBER: _ClassVar[int]
    SELECTOR_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    UNRENEWABLE_UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    states: _containers.RepeatedScalarFieldContainer[NodeState]
    selector: str
    text: str
    token_id: str
    unrenewable_until_ms: int
    def __init__(self, states: _Optional[_Iterable[_Union[NodeState, str]]] = ..., selector: _Optional[str] = ..., text: _Optional[str] = ..., token_id: _Optional[str] = ..., unrenewable_until_ms: _Optional[int] = ...) -> None: ...

class ListNodesResponse(_message.Message):
    __slots__ = ("nodes", "next_page_token", "total")
    NODES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    nodes: _containers.RepeatedCompositeFieldContainer[Node]
    next_page_token: str
    total: int
    def __init__(self, nodes: _Optional[_Iterable[_Union[Node, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total: _Optional[int] = ...) -> None: ...

class GetNodeRequest(_message.Message):
    __slots__ = ("node",)
    NODE_FIELD_NUMBER: _ClassVar[int]
    node: str
    def __init__(self, node: _Optional[str] = ...) -> None: ...

class UpdateNodeRequest(_message.Message):
    __slots__ = ("node", "name", "set_labels", "remove_labels", "note")
    class SetLabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NODE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SET_LABELS_FIELD_NUMBER: _ClassVar[int]
    REMOVE_LABELS_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    node: str
    name: str
    set_labels: _containers.ScalarMap[str, str]
    remove_labels: _containers.RepeatedScalarFieldContainer[str]
    note: str
    def __init__(self, node: _Optional[str] = ..., name: _Optional[str] = ..., set_labels: _Optional[_Mapping[str, str]] = ..., remove_labels: _Optional[_Iterable[str]] = ..., note: _Optional[str] = ...) -> None: ...

class UnregisterNodesRequest(_message.Message):
    __slots__ = ("nodes", "token_id", "revoke_token")
    NODES_FIELD_NUMBER: _ClassVar[int]
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    REVOKE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    nodes: _containers.RepeatedScalarFieldContainer[str]
    token_id: str
    revoke_token: bool
    def __init__(self, nodes: _Optional[_Iterable[str]] = ..., token_id: _Optional[str] = ..., revoke_token: _Optional[bool] = ...) -> None: ...

class UnregisterNodesResponse(_message.Message):
    __slots__ = ("node_ids",)
    NODE_IDS_FIELD_NUMBER: _ClassVar[int]
    node_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, node_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class SetNodeExpiryRequest(_message.Message):
    __slots__ = ("node", "expires_at_ms")
    NODE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_MS_FIELD_NUMBER: _ClassVar[int]
    node: str
    expires_at_ms: int
    def __init__(self, node: _Optional[str] = ..., expires_at_ms: _Optional[int] = ...) -> None: ...

class AssignAddressRequest(_message.Message):
    __slots__ = ("node", "address")
    NODE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    node: str
    address: str
    def __init__(self, node: _Optional[str] = ..., address: _Optional[str] = ...) -> None: ...

class NodeStatesRequest(_message.Message):
    __slots__ = ("nodes", "filter")
    NODES_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    nodes: _containers.RepeatedScalarFieldContainer[str]
    filter: NodeFilter
    def __init__(self, nodes: _Optional[_Iterable[str]] = ..., filter: _Optional[_Union[NodeFilter, _Mapping]] = ...) -> None: ...

class NodeStatesResponse(_message.Message):
    __slots__ = ("ids", "states", "addresses", "names", "unknown")
    IDS_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    states: _containers.RepeatedScalarFieldContainer[NodeState]
    addresses: _containers.RepeatedScalarFieldContainer[str]
    names: _containers.RepeatedScalarFieldContainer[str]
    unknown: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, ids: _Optional[_Iterable[str]] = ..., states: _Optional[_Iterable[_Union[NodeState, str]]] = ..., addresses: _Optional[_Iterable[str]] = ..., names: _Optional[_Iterable[str]] = ..., unknown: _Optional[_Iterable[str]] = ...) -> None: ...

class TakeBackRequest(_message.Message):
    __slots__ = ("node_tokens", "all_waiting")
    NODE_TOKENS_FIELD_NUMBER: _ClassVar[int]
    ALL_WAITING_FIELD_NUMBER: _ClassVar[int]
    node_tokens: _containers.RepeatedScalarFieldContainer[str]
    all_waiting: bool
    def __init__(self, node_tokens: _Optional[_Iterable[str]] = ..., all_waiting: _Optional[bool] = ...) -> None: ...

class TakeBackResponse(_message.Message):
    __slots__ = ("node_ids", "waiting_ids", "waiting")
    NODE_IDS_FIELD_NUMBER: _ClassVar[int]
    WAITING_IDS_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    node_ids: _containers.RepeatedScalarFieldContainer[str]
    waiting_ids: _containers.RepeatedScalarFieldContainer[str]
    waiting: _containers.RepeatedCompositeFieldContainer[WaitingNode]
    def __init__(self, node_ids: _Optional[_Iterable[str]] = ..., waiting_ids: _Optional[_Iterable[str]] = ..., waiting: _Optional[_Iterable[_Union[WaitingNode, _Mapping]]] = ...) -> None: ...

class WaitingNode(_message.Message):
    __slots__ = ("id", "hostname", "address", "peer_address", "asked_at_ms")
    ID_FIELD_NUMBER: _ClassVar[int]
    HOSTNAME_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    PEER_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    ASKED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    id: str
    hostname: str
    address: str
    peer_address: str
    asked_at_ms: int
    def __init__(self, id: _Optional[str] = ..., hostname: _Optional[str] = ..., address: _Optional[str] = ..., peer_address: _Optional[str] = ..., asked_at_ms: _Optional[int] = ...) -> None: ...
