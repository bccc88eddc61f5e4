"""The server's own TUN device, which connects the switch with this machine's network."""

import contextlib
from collections.abc import AsyncIterator

from structlog.typing import FilteringBoundLogger

from nc import log_events
from nc.errors import OperatorError
from nc.hub.switch import Switch
from nc.net.tun import TunUnavailable
from nc.server.parts import KeepUplink
from nc.server.settings import ServerSettings, TunMode


@contextlib.asynccontextmanager
async def uplink(
    settings: ServerSettings, logger: FilteringBoundLogger, switch: Switch
) -> AsyncIterator[KeepUplink | None]:
    """A TUN device on the switch, where it is allowed or demanded; yields what keeps it."""
    # Only here is pyroute2 needed, which takes long to import.
    from nc.hub.uplink import Uplink  # noqa: PLC0415 - see above

    device = Uplink(switch, settings.network, settings.mtu, logger)
    keep: KeepUplink | None = device.keep
    try:
        await device.open()
    except (OperatorError, OSError) as error:
        if settings.tun is TunMode.ON:
            raise
        if isinstance(error, TunUnavailable):  # not allowed here
            keep = None
        report = logger.info if keep is None else logger.warning
        report(log_events.TUN_UNAVAILABLE, message=f"{error}; going on without a device")
    try:
        yield keep
    finally:
        device.close()
