"""What an agent runs with."""

from dataclasses import dataclass

from nc.contract import DEFAULT_MTU


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """Without `tun`, packets are counted and dropped."""

    tun: bool = True
    mtu: int = DEFAULT_MTU
    redirect_gateway: bool = False  # all of this machine's traffic goes through the overlay
    proxy: str | None = None
