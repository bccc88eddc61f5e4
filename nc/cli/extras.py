"""Packages that only some commands need: extras of the distribution."""

import shlex
import sys
from importlib import import_module

from nc.cli.entrypoint import OperationFailed


def require_extra(extra: str, package: str) -> None:
    """Check that an extra is installed.

    Raises:
        OperationFailed: it is not; the message has the command that installs it.
    """
    try:
        import_module(package)
    except ModuleNotFoundError as error:
        raise OperationFailed(
            f"this command needs {package}, which is not installed",
            remedy=f"{shlex.quote(sys.executable)} -m pip install "
            f"'litekube-network-controller[{extra}]'",
        ) from error
