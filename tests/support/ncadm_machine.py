"""A node that `ncadm` commands are about."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.programs import Run

Json = Callable[..., Any]


class Machine:
    """A node, made by a machine that redeems a bootstrap token."""

    def __init__(self, ncadm: Run, told: Json, folder: Path, token: str = "") -> None:
        token = token or told("tokens", "issue")["join_token"]
        done = ncadm(
            *("get-token", "--bootstrap-token", token),
            *("--network-certs-dir", str(folder / "net"), "--grpc-certs-dir", str(folder / "grpc")),
        )
        match = re.search(r"^node token: ([0-9a-f]{16})$", done.stdout, re.MULTILINE)
        assert match, done
        self.token = match[1]
        self.id: str = told("nodes", "show", self.token)["id"]
