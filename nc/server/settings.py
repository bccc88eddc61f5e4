"""What a server runs with."""

from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from nc.contract import DEFAULT_BOOTSTRAP_PORT, DEFAULT_GRPC_PORT, DEFAULT_LINK_PORT, DEFAULT_MTU
from nc.domain.limits import DEFAULT_RECLAIM_AFTER_MS, NodeLimits
from nc.domain.network import DEFAULT_NETWORK, Network
from nc.pki.certificates import NODE_LIFETIME
from nc.server import setting_types as kinds


class TunMode(StrEnum):
    """Whether a server has a TUN device of its own."""

    AUTO = "auto"  # where it is allowed
    ON = "on"
    OFF = "off"


class ServerSettings(BaseModel):
    """What a server runs with.

    Attributes:
        advertise: where machines reach it: the first is what clients are answered, the others are
            told to our agents; all are names in its certificate.
        listen: for each port that has no address of its own.
        internal_port: None: there is none.
        reclaim_after: how long a node must have been idle to lose its address to another, once all
            are used up; 0: not at all.
        max_nodes: how many nodes may be registered.
        certificate_lifetime: of the certificates of nodes that renew them.
        metrics_listen: address and port where metrics are served; None: nowhere.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_dir: Path
    advertise: kinds.ServerNames
    listen: kinds.ListenAddress = "[::]"
    grpc_listen: kinds.ListenAddress | None = None
    bootstrap_listen: kinds.ListenAddress | None = None
    link_listen: kinds.ListenAddress | None = None
    internal_port: kinds.Port | None = None
    internal_listen: kinds.ListenAddress = "127.0.0.1"
    grpc_port: kinds.PortOrAny = DEFAULT_GRPC_PORT
    bootstrap_port: kinds.PortOrAny = DEFAULT_BOOTSTRAP_PORT
    link_port: kinds.PortOrAny = DEFAULT_LINK_PORT
    network_addr: kinds.NetworkAddress = DEFAULT_NETWORK
    mtu: kinds.Mtu = DEFAULT_MTU
    interconnection: kinds.Switch = True
    allow_destination: kinds.Destinations = ()  # what nodes reach beyond the network
    guess_rate: kinds.GuessRate = 1.0  # wrong tokens of one address a second; 0: no limit
    tun: TunMode = TunMode.OFF
    plaintext: bool = False
    grpc_cert_dir: kinds.Folder | None = None  # None: below the data folder
    network_cert_dir: kinds.Folder | None = None
    new_cluster: bool = False  # where something of an earlier start is missing, begin anew
    reclaim_after: kinds.Duration = timedelta(milliseconds=DEFAULT_RECLAIM_AFTER_MS)
    max_nodes: kinds.NodeCount = 0  # 0: any number
    cluster: str | None = None  # the address of the stream that keeps the log
    cluster_replicas: kinds.StreamReplicas = 3  # servers of NATS that keep a new stream
    certificate_lifetime: kinds.Lifetime = NODE_LIFETIME
    metrics_listen: kinds.MetricsListen = None
    tls_dir: kinds.Folder | None = None  # gets copies of the admin's files, for an admin client

    @property
    def listeners(self) -> dict[str, tuple[str, int]]:
        """Where each port listens, by its option."""
        listeners = {
            "--grpc-port": (self.grpc_listen or self.listen, self.grpc_port),
            "--bootstrap-port": (self.bootstrap_listen or self.listen, self.bootstrap_port),
            "--link-port": (self.link_listen or self.listen, self.link_port),
        }
        if self.internal_port is not None:
            listeners["--internal-port"] = (self.internal_listen, self.internal_port)
        return listeners

    @property
    def network(self) -> Network:
        return Network.parse(self.network_addr)

    @property
    def node_limits(self) -> NodeLimits:
        return NodeLimits(self.max_nodes, self.reclaim_after // timedelta(milliseconds=1))

    @property
    def inside_overlay(self) -> str:
        """An address of the overlay network that nodes would be told to connect to, or ""."""
        network = IPv4Interface(self.network_addr).network
        return next((name for name in self.advertise if _is_in(name, network)), "")


def _is_in(name: str, network: IPv4Network) -> bool:
    try:
        return IPv4Address(name) in network
    except ValueError:  # a name, or an IPv6 address
        return False
