"""A configuration file that has to be a server's."""

from pathlib import Path

from nc.cli.config_file import ConfigFile, load
from nc.errors import ConfigError


def load_server_file(path: Path) -> ConfigFile:
    """A configuration file of a server.

    Raises:
        ConfigError: the file is wrong, or describes a node.
    """
    file = load(path)
    if file.mode == "client":
        raise ConfigError(
            f"{path}: mode: client describes a node; "
            f"start it with network-controller --config {path}"
        )
    return file
