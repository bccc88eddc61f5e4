"""A whole server in this process, with a clock that moves when told to; real TLS on loopback."""

import asyncio
import errno
import shutil
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from eventlog import MAX_PAYLOAD_BYTES, LogReader
from nc.data_folder import DataLost
from nc.domain.codec.records import events_in
from nc.domain.events import pb as pb_events
from nc.domain.tokens import EXPIRED_TOKEN_RETENTION_MS
from nc.pb import network_controller_pb2 as pb
from nc.pki.errors import PkiError
from nc.server import own_changes
from nc.server.installation import Tuning
from tests.support.link_cluster import cluster
from tests.support.whole_server import (
    LOOPBACK,
    PATIENCE_S,
    Lines,
    MovableClock,
    WholeServer,
    admin,
    running,
    until,
)

OFTEN = Tuning(sweep_interval_s=0.01, certificate_check_interval_s=0.01)
DAY_MS = 24 * 60 * 60 * 1000


def kinds(server: WholeServer) -> list[str | None]:
    """The kinds of all events in the log."""
    return [event.WhichOneof("kind") for event in events_in(LogReader(server.folder.log).read())]


async def test_the_sweep_forgets_dead_tokens(tmp_path: Path) -> None:
    """A token that expired a day ago leaves the state, with an event that says so."""
    clock = MovableClock()
    async with (
        running(tmp_path / "data", clock, tuning=OFTEN) as server,
        admin(server) as client,
    ):
        request = pb.GetBootStrapTokenRequest(expireTime=1)
        for _ in range(3):
            assert (await client.call("GetBootStrapToken", request)).code == "200"
        clock.ahead_ms = EXPIRED_TOKEN_RETENTION_MS + 60_000
        await until(lambda: kinds(server).count("token_expired") == 3)


async def test_certificates_are_renewed_while_the_server_runs(tmp_path: Path) -> None:
    """Weeks before it ends, the server's certificate gives way to a new one from the same CA.

    New connections are shown it, and the administrator's renewed certificate opens the port.
    """
    clock = MovableClock()
    async with running(tmp_path / "data", clock, tuning=OFTEN) as server:
        ca = server.certificates.grpc.paths.ca.read_bytes()
        before = await shown(server)
        clock.ahead_ms = 340 * DAY_MS
        async with asyncio.timeout(PATIENCE_S):
            while (after := await shown(server)).serial_number == before.serial_number:
                pass
        assert after.issuer == before.issuer
        assert server.certificates.grpc.paths.ca.read_bytes() == ca


async def shown(server: WholeServer) -> x509.Certificate:
    """The certificate that the bootstrap port shows to a new connection."""
    port = server.endpoints.bootstrap_port
    pem = await asyncio.to_thread(ssl.get_server_certificate, (LOOPBACK, port))
    return x509.load_pem_x509_certificate(pem.encode())


async def test_a_job_that_fails_runs_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A passing failure is reported, and the job runs again; the stop is clean."""
    lines = Lines()
    async with running(tmp_path / "data", lines=lines, tuning=OFTEN) as server:

        def fail() -> None:
            raise OSError(errno.EMFILE, "too many open files")

        monkeypatch.setattr(server.certificates, "renew", fail)
        await until(lambda: len(lines.named("task.failed")) > 2)
    assert lines.named("server.stopped")


async def test_a_lost_log_is_not_begun_anew(tmp_path: Path) -> None:
    """Where the key of the token ids is, there was a log: without it the server refuses."""
    async with running(tmp_path / "data") as server:
        log, key = server.folder.log, server.folder.secret_key.read_bytes()
    log.rename(tmp_path / "elsewhere")
    with pytest.raises(DataLost, match=r"seg is missing.*secret\.key.*put back.*--new-cluster"):
        await start(tmp_path / "data")
    assert not log.exists()
    (tmp_path / "elsewhere").rename(log)
    async with running(tmp_path / "data") as server:
        assert server.folder.secret_key.read_bytes() == key


async def test_a_lost_key_is_not_made_anew(tmp_path: Path) -> None:
    """Without the key no token in the log is recognised: the server refuses."""
    async with running(tmp_path / "data") as server:
        server.folder.secret_key.unlink()
    with pytest.raises(DataLost, match=r"secret\.key is missing.*backup"):
        await start(tmp_path / "data")


async def test_another_key_is_refused(tmp_path: Path) -> None:
    """With the key of another log every token would be unknown: the server refuses.

    Whether it is told by a snapshot or by the events, and as often as it is tried; with the right
    key back it serves.
    """
    async with running(tmp_path / "data") as server:
        path = server.folder.secret_key
    key = path.read_bytes()
    for read_from in ("a snapshot", "the events"):
        if read_from == "the events":
            for snapshot in server.folder.log.glob("*.snapshot"):
                snapshot.unlink()
        path.write_bytes(bytes(len(key)))
        for _ in range(2):
            with pytest.raises(DataLost, match=r"secret\.key is not the key.*put the right"):
                await start(tmp_path / "data")
        path.write_bytes(key)
        await start(tmp_path / "data")


async def test_a_lost_ca_is_not_made_anew(tmp_path: Path) -> None:
    """Where the log has events, no CA is made: not at a start, and not while the server runs."""
    lines = Lines()
    async with running(tmp_path / "data", lines=lines, tuning=OFTEN) as server:
        paths = server.certificates.network.paths
        paths.ca.unlink()
        paths.ca_key.unlink()
        await until(lambda: bool(lines.named("task.failed")))
        assert "ca-key.pem: the CA's private key is missing" in str(lines.named("task.failed")[0])
    with pytest.raises(DataLost, match=r"network/ca-key\.pem is missing.*put back"):
        await start(tmp_path / "data")
    assert not paths.ca.exists()
    assert not paths.ca_key.exists()


async def test_another_ca_is_refused(tmp_path: Path) -> None:
    """The log has the hashes of both CAs' keys: another CA is refused, also without its mark."""
    for name in ("data", "other"):
        await start(tmp_path / name)
    for kind in ("grpc", "network"):
        pki, other = (tmp_path / name / "pki" / kind for name in ("data", "other"))
        pki.rename(tmp_path / "kept")
        shutil.copytree(other, pki)
        with pytest.raises(DataLost, match="that of another log"):
            await start(tmp_path / "data")
        (pki / "log-id").unlink()
        with pytest.raises(DataLost, match=f"{kind}/ca-key.pem is not the key"):
            await start(tmp_path / "data")
        shutil.rmtree(pki)
        (tmp_path / "kept").rename(pki)
    await start(tmp_path / "data")


async def test_a_ca_that_is_signed_anew_is_no_alarm(tmp_path: Path) -> None:
    """With its key still there, what it signed before is accepted: the administrator gets in."""
    async with running(tmp_path / "data") as server:
        for pki in (server.certificates.grpc, server.certificates.network):
            pki.paths.ca.unlink()
        server_pem = server.certificates.grpc.paths.server.read_bytes()
    lines = Lines()
    async with running(tmp_path / "data", lines=lines) as server, admin(server) as client:
        assert (await client.call("HealthCheck", pb.HealthCheckRequest())).code == "200"
        assert server.certificates.grpc.paths.server.read_bytes() == server_pem
        made = lines.named("certificate.made")
        assert [Path(line["path"]).name for line in made] == ["ca.pem", "ca.pem"]
        assert all("signed anew with the same key" in line["reason"] for line in made)


async def test_a_first_start_that_fails_leaves_no_log_and_no_key(tmp_path: Path) -> None:
    """A certificate folder that cannot be used costs nothing: what was made is taken away."""
    (tmp_path / "file").write_text("")
    with pytest.raises(PkiError):
        await start(tmp_path / "data", grpc_cert_dir=tmp_path / "file")
    assert not (tmp_path / "data").exists()


async def test_a_later_start_that_fails_takes_nothing_away(tmp_path: Path) -> None:
    """Only what the failing start itself made is taken away: never a log with events."""
    async with running(tmp_path / "data") as server:
        pass
    before = LogReader(server.folder.log).head
    (tmp_path / "file").write_text("")
    with pytest.raises(DataLost):
        await start(tmp_path / "data", grpc_cert_dir=tmp_path / "file")
    assert LogReader(server.folder.log).head == before
    assert server.folder.secret_key.exists()


async def start(data_dir: Path, **more: Any) -> None:
    """Start and stop."""
    async with running(data_dir, **more):
        pass


async def test_a_token_as_request_id_is_not_recorded(tmp_path: Path) -> None:
    """A token in `x-request-id` reaches neither the log nor a log line; other ids do."""
    lines = Lines()
    kept = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
    async with running(tmp_path / "data", lines=lines) as server:
        async with admin(server) as client:
            request = pb.GetBootStrapTokenRequest(expireTime=10)
            token = (await client.call("GetBootStrapToken", request)).bootStrapToken
            trace_ids = [f"{'f' * n}{token}{'0' * (16 - n)}" for n in range(17)]
            ours = [f"{'f' * n}{token}{'0' * (4 - n)}" for n in range(5)]
            ulid = f"01ARZ3NDEK{token}"
            others = [token, f"retry-{token}-1", f"a{token}", token.upper(), ulid, ulid.upper()]
            for request_id in (*others, *trace_ids, *ours, f"00-{trace_ids[0]}-{token}-01", kept):
                await client.call("GetBootStrapToken", request, request_id=request_id)
        log = b"".join(path.read_bytes() for path in server.folder.log.iterdir())
    assert token.encode() not in log.lower()
    assert token not in repr(lines).lower()
    assert kept.encode() in log
    assert kept in {line.get("request_id") for line in lines}


async def test_a_server_registers_no_more_nodes_than_it_is_told_to(tmp_path: Path) -> None:
    """`--max-nodes`: the next one is refused with a sentence, and a place that is left is free."""
    async with running(tmp_path / "data", max_nodes=1) as server, admin(server) as client:
        issued = await client.call("GetBootStrapToken", pb.GetBootStrapTokenRequest())
        request = pb.GetTokenRequest(bootStrapToken=issued.bootStrapToken)
        first = await client.call("GetToken", request)
        refused = await client.call("GetToken", request)
        assert (first.code, refused.code) == ("200", "400")
        assert "--max-nodes" in refused.message
        await client.call("UnRegister", pb.UnRegisterRequest(token=first.token))
        assert (await client.call("GetToken", request)).code == "200"


async def test_a_stop_ends_links_in_as_many_records_as_it_needs(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log that takes small records does not keep a server with many links from stopping."""
    monkeypatch.setattr(own_changes, "DROP_BYTES", MAX_PAYLOAD_BYTES)  # one in each
    async with cluster(data_dir, plaintext=True) as here:
        nodes = [await here.enrol() for _ in range(4)]
        for node in nodes:
            await here.connect(node)
        folder = here.server.folder.log
    ends = [
        sum(change.state_changed.to_state == pb_events.CONNECTION_STATE_IDLE for change in changes)
        for changes in (list(events_in([record])) for record in LogReader(folder).read())
    ]
    assert [count for count in ends if count] == [1, 1, 1, 1]
