"""What the operations get besides the request: the call, the server's addresses, its secrets."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from nc.net.wire import Address
from nc.pki.authority import CertificateAuthority
from nc.replica_secrets import ReplicaSecrets
from nc.rpc.callers import Caller


@dataclass(slots=True)
class Call:
    """One call: by whom, of what, and since when.

    Attributes:
        peer: the IP address of a caller without a certificate, of IPv6 the network.
    """

    caller: Caller
    method: str
    request_id: str
    started_ns: int  # monotonic
    peer: str = field(default="", kw_only=True)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where clients find the server; ports as they were bound."""

    advertised: str  # IP address or name
    overlay_address: str
    control_port: int
    bootstrap_port: int
    link_port: int
    links: Callable[[], tuple[Address, ...]] = tuple  # where links may go, the best first


@dataclass(frozen=True, slots=True)
class Inviting:
    """What a server gives to a machine that is to become a replica.

    Attributes:
        cluster: the stream's address, without files.
        read: reads what is given; raises NotPossible.
    """

    cluster: str
    read: Callable[[], Awaitable[ReplicaSecrets]]


@dataclass(slots=True)
class Authorities:
    """The CAs that sign nodes' certificates; replaced when their certificates are signed anew."""

    grpc: CertificateAuthority
    network: CertificateAuthority
