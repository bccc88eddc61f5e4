"""What the operations get besides the request: the call, the server's addresses, its secrets."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from nc.domain.state import State
from nc.net.wire import Address
from nc.pki.authority import CertificateAuthority
from nc.replica_secrets import ReplicaSecrets
from nc.rpc.callers import Caller

# The id and the name of the one node that a call means, or how many it means.
Target: TypeAlias = tuple[str, str] | int


@dataclass(slots=True)
class Call:
    """One call: by whom, of what, and since when.

    Attributes:
        peer: the IP address of a caller without a certificate, of IPv6 the network.
        target: for its log line; None if it means no node.
    """

    caller: Caller
    method: str
    request_id: str
    started_ns: int  # monotonic
    peer: str = field(default="", kw_only=True)
    target: Target | None = field(default=None, kw_only=True)

    def means(self, state: State, *node_ids: str) -> None:
        """Note which nodes are meant, as a state knows them; what was never a node is none."""
        known = [each for each in node_ids if each in state.nodes or each in state.unregistered]
        if len(known) == 1:
            node = state.nodes.get(known[0])
            self.target = known[0], "" if node is None else node.profile.name
        elif known:
            self.target = len(known)


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
