"""The certificates of a server while it runs: what is renewed is used, and known as a renewal."""

import errno
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nc.data_folder import DataFolder, DataLost
from nc.domain.administrators import InstallAdministrator
from nc.domain.decide import Command, decide
from nc.domain.events import Certificate, pb
from nc.domain.state import State
from nc.pki.errors import PkiError
from nc.rpc.servers import Credentials
from nc.secrets import SystemSecrets
from nc.server.certificates import Certificates
from nc.server.membership import Membership
from tests.support.whole_server import MovableClock, running, settings

NEARLY_A_YEAR_MS = 340 * 24 * 3600 * 1000


def test_what_could_not_be_read_for_a_moment_is_used_at_the_next_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever read fails of a renewal: the ports show what is in the files then.

    And the administrator's certificate is known as a renewal: the one before it stays good.
    """
    read, fails_at = Path.read_bytes, 0
    shown: dict[Credentials, bytes] = {}

    def show(port: Credentials, _key: bytes, chain: bytes, client_ca_pem: bytes | None) -> None:
        del client_ca_pem
        shown[port] = chain

    monkeypatch.setattr(Credentials, "replace", show)
    while fails_at >= 0:
        data_dir, left = tmp_path / f"{fails_at}", [fails_at]

        def failing(path: Path, left: list[int] = left) -> bytes:
            left[0] -= 1
            if left[0] == -1:
                raise OSError(errno.EMFILE, "Too many open files")
            return read(path)

        clock = MovableClock()
        folder = DataFolder(data_dir)
        folder.prepare()
        certificates = Certificates(
            settings(data_dir), folder, clock, SystemSecrets(), may_found=True
        )
        link = certificates.link
        clock.ahead_ms = NEARLY_A_YEAR_MS
        with monkeypatch.context() as patched:
            patched.setattr(Path, "read_bytes", failing)
            try:
                certificates.renew()
                fails_at = -1
            except (OSError, PkiError):
                fails_at += 1
        certificates.renew()
        assert certificates.link is not link
        assert certificates.grpc.paths.server.read_bytes() in shown[certificates.control]
        assert certificates.grpc.paths.server.read_bytes() in shown[certificates.bootstrap]
        assert certificates.installed().is_renewal
        certificates.renew()
        assert certificates.made == []


async def test_what_a_start_that_failed_has_renewed_is_known_as_a_renewal(tmp_path: Path) -> None:
    """The next start does not refuse the administrator's certificate before it."""
    clock, data_dir = MovableClock(), tmp_path / "data"
    async with running(data_dir, clock) as server:
        old = server.certificates.grpc.paths.client.read_bytes()
        path, key = server.folder.secret_key, server.folder.secret_key.read_bytes()
    clock.ahead_ms = NEARLY_A_YEAR_MS
    path.write_bytes(key[::-1])
    with pytest.raises(DataLost):
        await running(data_dir, clock).__aenter__()
    path.write_bytes(key)
    async with running(data_dir, clock) as server:
        assert server.certificates.grpc.paths.client.read_bytes() != old
        known = server.replica.state.administrators.by_serial
        assert [each.revoked_at_ms for each in known.values()] == [None, None]


async def test_an_administrators_certificate_may_have_any_name() -> None:
    """One that was not issued here ends no server of a cluster, whatever its subject is."""
    submitted: list[Command] = []

    async def submit(command: Command, _method: str) -> None:
        decide(State(), command)
        submitted.append(command)

    certificate = Certificate(authority=pb.CERTIFICATE_AUTHORITY_GRPC, serial="5", not_after_ms=9)
    installed = InstallAdministrator("Operations (Berlin)", certificate, is_renewal=False)
    member: Any = SimpleNamespace(
        _parts=SimpleNamespace(installed=lambda: installed),
        _replica=SimpleNamespace(state=State()),
        _wiring=SimpleNamespace(own_changes=SimpleNamespace(submit=submit)),
    )
    await Membership.record_installed(member, "start")
    assert len(submitted) == 1
