"""The check that a server's ports are free, before any file is made."""

import contextlib

from nc.client.link_report import NoServer, read_link_report
from nc.data_folder import DataFolder, DataFolderError
from nc.errors import ConfigError
from nc.net.sockets import PortUnavailable, try_ports
from nc.server.settings import ServerSettings


def require_free_ports(settings: ServerSettings, metrics_listen: str | None) -> None:
    """Check that each port can be listened on.

    Args:
        settings: what the server is to run with.
        metrics_listen: as the operator gave it. Without it the server takes the default, and goes
            on without metrics if that is taken.

    Raises:
        ConfigError: two are the same.
        DataFolderError: a server runs on the folder already, probably with these ports.
        PortUnavailable: another reason.
    """
    by_option = settings.listeners
    if metrics_listen is not None and settings.metrics_listen is not None:
        by_option["--metrics-listen"] = settings.metrics_listen
    listeners = list(by_option.values())
    if twice := [each for each in listeners if each[1] and listeners.count(each) > 1]:
        *others, last = by_option
        raise ConfigError(
            f"port {twice[0][1]} is given twice; {', '.join(others)} and {last} need one each"
        )
    try:
        try_ports(listeners)
    except PortUnavailable:
        with contextlib.suppress(NoServer, OSError):
            read_link_report(DataFolder(settings.data_dir).links_socket)
            raise DataFolderError(
                f"a server runs on {settings.data_dir} already; "
                "stop it, or choose another folder with --data-dir, and other ports"
            ) from None
        raise
