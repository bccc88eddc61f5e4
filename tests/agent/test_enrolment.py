"""What a machine that joins is told of a server that TLS objects to, and what it keeps."""

import asyncio
import errno
import itertools
import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from nc.agent import attempt as attempts
from nc.agent.attempt import Attempt
from nc.agent.enrolment import Invitation, ServerUnreachable, redeem
from nc.agent.state import StateFolder, StateFolderError
from nc.data_folder import DataFolder, DataFolderError
from nc.pki.certificates import AuthorityKind, ca_cert_hash
from nc.pki.folder import open_folder
from nc.secrets import SystemSecrets
from nc.server import newcomer


async def test_a_clock_that_is_wrong_is_named(tmp_path: Path) -> None:
    """The hash is right, the time is not: that may pass, and gRPC would not say it."""
    names, then = {"127.0.0.1"}, datetime.now(UTC) - timedelta(days=3 * 365)
    serials = itertools.count(1000)
    pki = open_folder(tmp_path, AuthorityKind.GRPC, names, then, lambda: next(serials))
    chain = tmp_path / "chain.pem"
    chain.write_bytes(pki.paths.server.read_bytes() + pki.authority.certificate_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, pki.paths.server_key)
    server = await asyncio.start_server(lambda _, w: w.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        pin = ca_cert_hash(pki.authority.certificate_pem)
        attempt = Attempt("a" * 32, ec.generate_private_key(ec.SECP256R1()))
        with pytest.raises(ServerUnreachable, match=r"has expired; .* clock right"):
            await redeem(Invitation("0123456789abcdef", "127.0.0.1", port, pin), attempt)


def test_an_attempt_that_cannot_be_read_now_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server may have a node for it, and a token for one node admits no other attempt."""

    def unreadable(path: Path) -> NoReturn:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    folder, secrets = StateFolder(tmp_path / "agent"), SystemSecrets()
    folder.require_room()
    attempt = folder.attempt_with("token", secrets)
    with monkeypatch.context() as patched:
        patched.setattr(attempts, "read_json_object", unreadable)
        with pytest.raises(StateFolderError, match="cannot be used: input/output error"):
            folder.attempt_with("token", secrets)
    assert folder.attempt_with("token", secrets).id == attempt.id
    assert folder.attempt_with("another", secrets).id != attempt.id


def test_an_attempt_to_become_a_server_is_not_replaced_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An invitation is good for one."""

    def unreadable(path: Path) -> NoReturn:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    folder, secrets = DataFolder(tmp_path), SystemSecrets()
    attempt = newcomer._attempt(folder, "code", secrets)
    with monkeypatch.context() as patched:
        patched.setattr(newcomer, "read_json_object", unreadable)
        with pytest.raises(DataFolderError, match="start with the same invitation again"):
            newcomer._attempt(folder, "code", secrets)
    assert newcomer._attempt(folder, "code", secrets) == attempt
    assert newcomer._attempt(folder, "another", secrets) != attempt
