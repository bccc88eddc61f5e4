"""What a server runs with."""

from enum import StrEnum
from ipaddress import IPv4Interface, ip_address
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from nc.contract import DEFAULT_BOOTSTRAP_PORT, DEFAULT_GRPC_PORT, DEFAULT_LINK_PORT, DEFAULT_MTU
from nc.domain.network import DEFAULT_NETWORK, Network
from nc.server.setting_types import (
    Destinations,
    Folder,
    Mtu,
    NetworkAddress,
    PortOrAny,
    ServerName,
    Switch,
)


class TunMode(StrEnum):
    """Whether a server has a TUN device of its own."""

    AUTO = "auto"  # where it is allowed
    ON = "on"
    OFF = "off"


class ServerSettings(BaseModel):
    """What a server runs with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_dir: Path
    advertise: ServerName
    listen: str = "[::]"
    grpc_port: PortOrAny = DEFAULT_GRPC_PORT
    bootstrap_port: PortOrAny = DEFAULT_BOOTSTRAP_PORT
    link_port: PortOrAny = DEFAULT_LINK_PORT
    network_addr: NetworkAddress = DEFAULT_NETWORK
    mtu: Mtu = DEFAULT_MTU
    interconnection: Switch = True
    allow_destination: Destinations = ()  # what nodes reach beyond the network
    tun: TunMode = TunMode.OFF
    plaintext: bool = False
    grpc_cert_dir: Folder | None = None  # None: below the data folder
    network_cert_dir: Folder | None = None
    new_cluster: bool = False  # where something of an earlier start is missing, begin anew
    tls_dir: Folder | None = None  # gets copies of the admin's files, for an admin client

    @property
    def network(self) -> Network:
        """The overlay network."""
        return Network.parse(self.network_addr)

    @property
    def is_inside_overlay(self) -> bool:
        """Whether nodes would be told an address of the overlay network to connect to."""
        network = IPv4Interface(self.network_addr).network
        try:
            return ip_address(self.advertise) in network
        except ValueError:  # a name
            return False
