"""What the operations get besides the request: the call, the server's addresses, its CAs."""

from collections.abc import Callable
from dataclasses import dataclass

from nc.net.wire import Address
from nc.pki.authority import CertificateAuthority
from nc.rpc.callers import Caller


@dataclass(slots=True)
class Call:
    """One call: by whom, of what, and since when."""

    caller: Caller
    method: str
    request_id: str
    started_ns: int  # monotonic


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where clients find the server; ports as they were bound."""

    advertised: str  # IP address or name
    overlay_address: str
    control_port: int
    bootstrap_port: int
    link_port: int
    links: Callable[[], tuple[Address, ...]] = tuple  # where links may go, the best first


@dataclass(slots=True)
class Authorities:
    """The CAs that sign nodes' certificates; replaced when their certificates are signed anew."""

    grpc: CertificateAuthority
    network: CertificateAuthority
