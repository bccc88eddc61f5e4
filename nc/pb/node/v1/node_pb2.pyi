from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Facts(_message.Message):
    __slots__ = ("hostname", "os", "architecture", "agent_version")
    HOSTNAME_FIELD_NUMBER: _ClassVar[int]
    OS_FIELD_NUMBER: _ClassVar[int]
    ARCHITECTURE_FIELD_NUMBER: _ClassVar[int]
    AGENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    hostname: str
    os: str
    architecture: str
    agent_version: str
    def __init__(self, hostname: _Optional[str] = ..., os: _Optional[str] = ..., architecture: _Optional[str] = ..., agent_version: _Optional[str] = ...) -> None: ...

class EnrolRequest(_message.Message):
    __slots__ = ("bootstrap_token", "attempt", "csr_pem", "facts", "name")
    BOOTSTRAP_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    CSR_PEM_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    bootstrap_token: str
    attempt: str
    csr_pem: str
    facts: Facts
    name: str
    def __init__(self, bootstrap_token: _Optional[str] = ..., attempt: _Optional[str] = ..., csr_pem: _Optional[str] = ..., facts: _Optional[_Union[Facts, _Mapping]] = ..., name: _Optional[str] = ...) -> None: ...

class EnrolResponse(_message.Message):
    __slots__ = ("node_token", "node_id", "name", "certificates", "link", "control", "bootstrap", "links")
    NODE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATES_FIELD_NUMBER: _ClassVar[int]
    LINK_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    BOOTSTRAP_FIELD_NUMBER: _ClassVar[int]
    LINKS_FIELD_NUMBER: _ClassVar[int]
    node_token: str
    node_id: str
    name: str
    certificates: Certificates
    link: Endpoint
    control: Endpoint
    bootstrap: Endpoint
    links: _containers.RepeatedCompositeFieldContainer[Endpoint]
    def __init__(self, node_token: _Optional[str] = ..., node_id: _Optional[str] = ..., name: _Optional[str] = ..., certificates: _Optional[_Union[Certificates, _Mapping]] = ..., link: _Optional[_Union[Endpoint, _Mapping]] = ..., control: _Optional[_Union[Endpoint, _Mapping]] = ..., bootstrap: _Optional[_Union[Endpoint, _Mapping]] = ..., links: _Optional[_Iterable[_Union[Endpoint, _Mapping]]] = ...) -> None: ...

class Endpoint(_message.Message):
    __slots__ = ("host", "port")
    HOST_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    host: str
    port: int
    def __init__(self, host: _Optional[str] = ..., port: _Optional[int] = ...) -> None: ...

class Certificates(_message.Message):
    __slots__ = ("grpc_ca_pem", "grpc_certificate_pem", "network_ca_pem", "network_certificate_pem", "lifetime_s")
    GRPC_CA_PEM_FIELD_NUMBER: _ClassVar[int]
    GRPC_CERTIFICATE_PEM_FIELD_NUMBER: _ClassVar[int]
    NETWORK_CA_PEM_FIELD_NUMBER: _ClassVar[int]
    NETWORK_CERTIFICATE_PEM_FIELD_NUMBER: _ClassVar[int]
    LIFETIME_S_FIELD_NUMBER: _ClassVar[int]
    grpc_ca_pem: str
    grpc_certificate_pem: str
    network_ca_pem: str
    network_certificate_pem: str
    lifetime_s: int
    def __init__(self, grpc_ca_pem: _Optional[str] = ..., grpc_certificate_pem: _Optional[str] = ..., network_ca_pem: _Optional[str] = ..., network_certificate_pem: _Optional[str] = ..., lifetime_s: _Optional[int] = ...) -> None: ...

class RenewRequest(_message.Message):
    __slots__ = ("node_token", "csr_pem", "facts", "name")
    NODE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CSR_PEM_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    node_token: str
    csr_pem: str
    facts: Facts
    name: str
    def __init__(self, node_token: _Optional[str] = ..., csr_pem: _Optional[str] = ..., facts: _Optional[_Union[Facts, _Mapping]] = ..., name: _Optional[str] = ...) -> None: ...

class RenewResponse(_message.Message):
    __slots__ = ("certificates", "node_id", "name", "link", "bootstrap", "links")
    CERTIFICATES_FIELD_NUMBER: _ClassVar[int]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    LINK_FIELD_NUMBER: _ClassVar[int]
    BOOTSTRAP_FIELD_NUMBER: _ClassVar[int]
    LINKS_FIELD_NUMBER: _ClassVar[int]
    certificates: Certificates
    node_id: str
    name: str
    link: Endpoint
    bootstrap: Endpoint
    links: _containers.RepeatedCompositeFieldContainer[Endpoint]
    def __init__(self, certificates: _Optional[_Union[Certificates, _Mapping]] = ..., node_id: _Optional[str] = ..., name: _Optional[str] = ..., link: _Optional[_Union[Endpoint, _Mapping]] = ..., bootstrap: _Optional[_Union[Endpoint, _Mapping]] = ..., links: _Optional[_Iterable[_Union[Endpoint, _Mapping]]] = ...) -> None: ...
