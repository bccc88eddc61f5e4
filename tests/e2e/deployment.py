"""A running server as those see it who deal with it: an admin, machines that join, their nodes."""

import base64
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.contract_peer import BOOTSTRAP, Answer, Caller, ContractClient, Tls
from tests.e2e.e2e_process import ServerProcess


@dataclass(frozen=True)
class Node:
    """What a machine keeps of GetToken's answer."""

    token: str = field(repr=False)
    bootstrap_token: str = field(repr=False)
    response: dict[str, Any] = field(repr=False)
    caller: Caller
    network_tls: Tls = field(repr=False)

    @property
    def grpc_tls(self) -> Tls:
        assert self.caller.tls is not None
        return self.caller.tls


@dataclass
class Deployment:
    """A server, its admin, and everything secret that it ever handed out."""

    server: ServerProcess
    client: ContractClient
    plaintext: bool = False
    grpc_pki: Path | None = None  # where the admin's files are, if not in the data folder
    secrets: list[str] = field(default_factory=list)

    @property
    def admin_tls(self) -> Tls | None:
        """The admin's own identity."""
        if self.plaintext:
            return None
        folder = self.grpc_pki or self.server.data_dir / "pki" / "grpc"
        return Tls(*((folder / f"{n}.pem").read_text() for n in ("ca", "client-key", "client")))

    @property
    def ca(self) -> str:
        """The CA that both gRPC ports are signed by, PEM."""
        assert self.admin_tls is not None
        return self.admin_tls.ca

    @property
    def admin(self) -> Caller:
        return Caller(self.client, self.server.grpc_port, self.admin_tls)

    @property
    def newcomer(self) -> Caller:
        """A machine without certificates, on the bootstrap port."""
        tls = None if self.plaintext else Tls(self.ca)
        return Caller(self.client, self.server.bootstrap_port, tls)

    def on_control_port(self, tls: Tls | None, channel: str = "shared") -> Caller:
        """Whoever has this identity, on the control port."""
        return Caller(self.client, self.server.grpc_port, tls, channel)

    def issue(self, minutes: int = 10) -> str:
        answer = self.admin.call("GetBootStrapToken", {"expireTime": minutes})
        assert answer.code == "200"
        self.secrets.append(answer.response["bootStrapToken"])
        return str(answer.response["bootStrapToken"])

    def register(self, bootstrap_token: str | None = None) -> Node:
        bootstrap_token = bootstrap_token or self.issue()
        answer = self.newcomer.call(
            "GetToken", {"bootStrapToken": bootstrap_token}, service=BOOTSTRAP
        )
        return self.node(bootstrap_token, answer)

    def node(self, bootstrap_token: str, answer: Answer) -> Node:
        """The node that an answer of GetToken makes."""
        assert answer.code == "200", answer.message
        response = answer.response
        grpc, network = (
            Tls(*(_decoded(response[f"{name}{part}"]) for part in ("CaCert", "ClientKey", cert)))
            for name, cert in (("grpc", "ClientCert"), ("Network", "ClientCert"))
        )
        self.secrets += [response["token"], *_key_lines(grpc), *_key_lines(network)]
        tls = None if self.plaintext else grpc
        caller = self.on_control_port(tls)
        return Node(response["token"], bootstrap_token, response, caller, network)


Deploy = Callable[..., AbstractContextManager[Deployment]]
"""The fixture `deploy`: starts a server with these options, on the test's own data folder."""


def _decoded(text: str) -> str:
    return base64.b64decode(text, validate=True).decode("ascii")


def _key_lines(tls: Tls) -> list[str]:
    return [line for line in (tls.key or "").splitlines() if line and "-----" not in line]


def assert_mistake(answer: Answer, *secrets: str) -> str:
    """A 400 with one sentence that says what is wrong, and nothing that is nobody's business."""
    assert answer.code == "400", answer
    return assert_sentence(answer.message, *secrets)


def assert_sentence(message: str, *secrets: str) -> str:
    """One sentence, printable, without a token, a key or a stack trace; returned as it is."""
    assert len(message) > 10, message
    assert message.isprintable(), message
    assert not re.search(r"[.!?] |[.!?]$|Traceback|File \"|-----", message), message
    assert not re.search(r"\b(?!\d+\b)[0-9a-f]{16,}\b", message), message
    for secret in secrets:
        assert not secret or secret not in message, message
    return message


def assert_denied(answer: Answer, *secrets: str) -> str:
    """PERMISSION_DENIED with the reason."""
    assert answer.status == "PERMISSION_DENIED", answer
    return assert_sentence(answer.details, *secrets)
