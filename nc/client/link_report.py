"""Reads a running server's report of its links, from the Unix socket in its data folder."""

import json
import socket
from pathlib import Path
from typing import Any, Final

from nc.errors import UNREACHABLE, OperatorError
from nc.net.sockets import short_name

_TIMEOUT_S: Final = 5.0
_MAX_BYTES: Final = 256 * 1024 * 1024  # far more than the report of a full network


class NoServer(OperatorError):
    """No server answers at the socket."""

    exit_code = UNREACHABLE
    kind = "unreachable"

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"no server answers at {path}; start one with this data folder, "
            "or name another with --data-dir"
        )


def read_link_report(path: Path) -> dict[str, Any]:
    """The report, as `nc.hub.report.report_of` makes it.

    Raises:
        NoServer: no server answers.
        PermissionError: the data folder is another user's.
    """
    answer = b""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_TIMEOUT_S)
        try:
            with short_name(path) as name:
                connection.connect(name)
            while part := connection.recv(65536):
                answer += part
                if len(answer) > _MAX_BYTES:
                    raise NoServer(path)
            report: dict[str, Any] = json.loads(answer)
        except PermissionError:
            raise
        except (OSError, ValueError, RecursionError):
            raise NoServer(path) from None
    return report
