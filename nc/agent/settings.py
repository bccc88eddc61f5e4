"""What an agent runs with."""

from dataclasses import dataclass
from typing import Final

from nc.agent.device import DeviceSettings

DEFAULT_DEVICE: Final = DeviceSettings()


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """Without `tun`, packets are counted and dropped."""

    tun: bool = True
    device: DeviceSettings = DEFAULT_DEVICE
    proxy: str | None = None
