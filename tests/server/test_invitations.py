"""A machine is invited to a cluster: what it is given, once, and how it is refused."""

import json
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog

from nc.cli.newcomer import NoReplicaReached, NotInvited, ReplicaInvitation, become_replica
from nc.client.channel import BOOTSTRAP_PORT, Channel
from nc.client.errors import FailedPrecondition
from nc.data_folder import DataFolder, DataFolderError, DataLost
from nc.errors import UNREACHABLE, USAGE, ConfigError, OperatorError
from nc.pb.admin.v1 import replicas_pb2 as pb
from nc.pb.replica.v1.joining_pb2 import RedeemInvitationRequest
from nc.replica.errors import Removed
from nc.replica_secrets import NATS_FILES
from nc.secrets import SystemSecrets
from nc.server import newcomer
from nc.server.newcomer import require_finished
from nc.server.settings import ServerSettings
from nc.server.shared_secrets import stream_address
from tests.support.link_cluster import logged_events
from tests.support.nats_identities import write_credentials
from tests.support.nats_servers import NatsServer, address_of
from tests.support.operators import Operator, Refused, operator
from tests.support.whole_server import (
    LOOPBACK,
    Lines,
    MovableClock,
    WholeServer,
    admin,
    running,
    settings,
    until,
)

pytestmark = [  # the client of NATS leaves sockets of servers that are gone to the collector
    pytest.mark.usefixtures("forgotten_sockets"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

PKI = tuple(f"pki/{ca}/{name}" for ca in ("grpc", "network") for name in ("ca-key.pem", "ca.pem"))
SHARED = ("secret.key", *PKI)
HOUR_MS = 3_600_000


class Cluster:
    """A server on a stream, its administrator, and whoever is invited to it."""

    def __init__(self, server: WholeServer, caller: Operator) -> None:
        self.server, self.admin = server, caller
        self.clock, self.lines = MovableClock(), Lines()

    async def invite(self, **more: Any) -> ReplicaInvitation:
        made = await self.admin.call("Replicas/Invite", **more)
        assert made.cluster.startswith("nats://")
        return ReplicaInvitation(made.code, made.host, made.port, made.ca_cert_hash)

    async def join(self, folder: Path, invitation: ReplicaInvitation) -> ServerSettings:
        """Fill a folder, as `serve` does before it starts."""
        cluster = str(self.server.settings.cluster).partition("&")[0]  # it need name no files
        theirs = settings(folder, cluster=cluster, cluster_replicas=1)
        log = structlog.wrap_logger(structlog.ReturnLogger(), processors=[self.lines])
        await become_replica(theirs, invitation, SystemSecrets(), log)
        return theirs

    async def refused(self, folder: Path, invitation: ReplicaInvitation) -> OperatorError:
        with pytest.raises(OperatorError) as error:
            await self.join(folder, invitation)
        assert invitation.code not in str(error.value)
        assert not any((folder / name).exists() for name in SHARED)
        if isinstance(error.value, NotInvited):
            require_finished(DataFolder(folder))  # there is nothing to repeat
        return error.value

    def logged(self, kind: str) -> list[Any]:
        events = logged_events(self.server.folder.log)
        return [getattr(event, kind) for event in events if event.WhichOneof("kind") == kind]


@pytest.fixture
def address(nats: NatsServer, request: pytest.FixtureRequest) -> str:
    """Of a stream of this test's own."""
    return address_of(nats, stream=f"s{abs(hash(request.node.nodeid))}")


@asynccontextmanager
async def on_stream(data_dir: Path, address: str) -> AsyncIterator[Cluster]:
    clock, lines = MovableClock(), Lines()
    more: dict[str, Any] = {"cluster": address, "cluster_replicas": 1}
    async with running(data_dir, clock, lines, **more) as server, operator(server) as caller:
        made = Cluster(server, caller)
        made.clock, made.lines = clock, lines
        yield made


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in SHARED}


async def test_a_newcomer_is_given_what_replicas_share_and_follows(
    data_dir: Path, address: str, tmp_path: Path
) -> None:
    """For its owner's eyes alone, and nothing else; neither log nor lines have any of it."""
    folder, creds = tmp_path / "b", tmp_path / "user.creds"
    write_credentials(tmp_path)
    async with on_stream(data_dir, f"{address}&creds={creds}") as a:
        invitation = await a.invite()
        theirs = await a.join(folder, invitation)
        assert contents(folder) == contents(data_dir)
        assert (folder / "nats" / "nats.creds").read_bytes() == creds.read_bytes()
        made = {str(p.relative_to(folder)): p for p in folder.rglob("*") if p.is_file()}
        assert made.keys() == {*SHARED, "nats/nats.creds", "replica"}
        for path in folder.rglob("*"):
            mode, is_public = stat.S_IMODE(path.stat().st_mode), path.name in ("ca.pem", "replica")
            assert mode == (0o700 if path.is_dir() else 0o644 if is_public else 0o600)
        await a.join(folder, invitation)  # as a unit does that keeps the line
        assert len(a.lines.named("replica.invitation_ignored")) == 1
        lines, name = Lines(), made["replica"].read_text().strip()
        more: dict[str, Any] = {"cluster": address, "cluster_replicas": 1}
        async with running(theirs.data_dir, lines=lines, **more) as b, operator(b) as there:
            listed = {each.id: each for each in (await there.call("Replicas/List")).replicas}
            own = listed.pop(name)
            (other,) = listed.values()
            follower, leader = pb.REPLICA_ROLE_FOLLOWER, pb.REPLICA_ROLE_LEADER
            assert (own.self, own.role, own.state) == (True, follower, pb.REPLICA_STATE_RUNNING)
            assert (other.self, other.role, other.address) == (False, leader, LOOPBACK)
            seen = {each.id: each for each in (await a.admin.call("Replicas/List")).replicas}
            assert seen[name].HasField("lag_events")
            third = await Cluster(b, there).invite()  # at a follower, and the leader records it
            at_follower = third._replace(port=b.endpoints.bootstrap_port)
            await Cluster(b, there).join(tmp_path / "c", at_follower)
        (left,) = (e for e in (await a.admin.call("Replicas/List")).replicas if e.id == name)
        assert (left.state, left.lost) == (pb.REPLICA_STATE_STOPPED, False)
        assert left.ended_ms >= left.since_ms > 0
        (used, last) = (await a.admin.call("Replicas/List", all=True)).invitations[::-1]
        assert used.replica_id == name
        assert (used.peer_address, last.peer_address) == (LOOPBACK, LOOPBACK)
        secrets = [invitation.code.encode(), third.code.encode(), *contents(data_dir).values()]
        secrets.append(creds.read_bytes())
        folders = (data_dir / "log", folder / "log")
        logs = [p.read_bytes() for log in folders for p in log.rglob("*") if p.is_file()]
        told = b"".join([*logs, json.dumps([*a.lines, *lines], default=str).encode()])
    assert contents(tmp_path / "c") == contents(data_dir)
    assert (tmp_path / "c" / "nats" / "nats.creds").read_bytes() == creds.read_bytes()
    for secret in secrets:
        of_pem = [line for line in secret.splitlines() if len(line) > 40 and b"-" not in line]
        parts = of_pem if b"-----" in secret else [secret]
        assert parts
        assert not [part for part in parts if part in told or part.hex().encode() in told]


async def test_a_lost_reply_is_repeated_by_the_same_newcomer_and_by_nobody_else(
    data_dir: Path, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attempt is kept before the call, and until the last file is written."""

    def crash(*_: object) -> None:
        raise ConnectionError

    async with on_stream(data_dir, address) as a:
        invitation = await a.invite()
        with monkeypatch.context() as patch:
            patch.setattr(newcomer, "_write", crash)
            with pytest.raises(ConnectionError):
                await a.join(tmp_path / "b", invitation)
        with pytest.raises(DataFolderError, match="not filled to its end"):
            async with running(tmp_path / "b", cluster=address):
                pass
        thief = await a.refused(tmp_path / "thief", invitation)
        assert "was redeemed at" in str(thief)
        await a.join(tmp_path / "b", invitation)
        require_finished(DataFolder(tmp_path / "b"))
        assert contents(tmp_path / "b") == contents(data_dir)
        assert len(a.logged("invitation_redeemed")) == 1


async def test_who_is_not_invited_is_told_why(data_dir: Path, address: str, tmp_path: Path) -> None:
    """A wrong hash, a wrong, withdrawn or ended code, another's folder, and nobody there."""
    folder = tmp_path / "b"
    async with on_stream(data_dir, address) as a:
        good = await a.invite()
        pin = good._replace(ca_cert_hash=f"sha256:{'0' * 64}")
        wrong_pin = await a.refused(folder, pin)
        assert "ncadm replicas invite prints both" in str(wrong_pin)
        assert a.server.server.abuse.wrong_tokens == 0
        unknown = await a.refused(folder, good._replace(code="0" * 24))
        assert "the invitation is unknown" in str(unknown)
        assert a.server.server.abuse.wrong_tokens == 1  # limited as guesses of tokens are
        withdrawn = await a.invite()
        invitation_id = (await a.admin.call("Replicas/List")).invitations[0].id
        removed = await a.admin.call("Replicas/Remove", replica=invitation_id[:8])
        assert removed.invitation.id == invitation_id
        gone = await a.refused(folder, withdrawn)
        a.clock.ahead_ms = HOUR_MS
        late = await a.refused(folder, good)
        assert "the invitation expired at" in str(late)
        errors = (wrong_pin, unknown, gone, late)
        assert {(type(error), error.exit_code) for error in errors} == {(NotInvited, USAGE)}
        other = tmp_path / "other" / "pki" / "grpc" / "ca.pem"
        other.parent.mkdir(parents=True)
        other.write_text("another's")
        with pytest.raises(DataFolderError, match="fills an empty data folder"):
            await a.join(tmp_path / "other", await a.invite())
        assert not a.logged("invitation_redeemed")
    unreachable = await a.refused(folder, good)
    assert (type(unreachable), unreachable.exit_code) == (NoReplicaReached, UNREACHABLE)


async def test_a_removed_server_ends_and_starts_no_more(
    data_dir: Path, address: str, tmp_path: Path
) -> None:
    """The leader stays; whoever was removed says what lets it in again."""
    more: dict[str, Any] = {"cluster": address, "cluster_replicas": 1}
    async with on_stream(data_dir, address) as a:
        own = (data_dir / "replica").read_text().strip()
        with pytest.raises(Refused, match="cannot remove itself"):
            await a.admin.call("Replicas/Remove", replica=own)
        theirs = await a.join(tmp_path / "b", await a.invite())
        name = (tmp_path / "b" / "replica").read_text().strip()

        async def until_removed() -> None:
            async with running(theirs.data_dir, **more) as b:
                removed = await a.admin.call("Replicas/Remove", replica=name)
                assert removed.replica.state == pb.REPLICA_STATE_REMOVED
                await until(lambda: b.replica.failure is not None)
                await until(lambda: False)  # it is cancelled

        with pytest.raises(Removed, match="ncadm replicas invite"):
            await until_removed()
        with pytest.raises(ConfigError, match=r"was removed at .*ncadm replicas invite"):
            async with running(theirs.data_dir, **more):
                pass
        assert name not in {e.id for e in (await a.admin.call("Replicas/List")).replicas}
        assert name in {e.id for e in (await a.admin.call("Replicas/List", all=True)).replicas}


async def test_a_machine_starts_on_the_stream_of_its_own_cluster_alone(
    data_dir: Path, tmp_path: Path, nats: NatsServer
) -> None:
    """With other keys it is refused, and without any it is told how to become a server of it.

    The servers of the other cluster run, and do not speak with it.
    """
    mine, others = (address_of(nats, stream=name) for name in ("mine", "others"))
    async with on_stream(data_dir, mine) as a:
        theirs = await a.join(tmp_path / "b", await a.invite())
        async with on_stream(tmp_path / "c", others):
            with pytest.raises(DataLost, match="stream with --cluster, or put"):
                async with running(theirs.data_dir, cluster=others, cluster_replicas=1):
                    pass
        with pytest.raises(DataLost, match=r"use an invitation \(ncadm replicas invite\)"):
            async with running(tmp_path / "d", cluster=mine, cluster_replicas=1):
                pass


async def test_a_server_that_has_nothing_to_share_invites_nobody(data_dir: Path) -> None:
    """The sentence says what to do; its list is of itself."""
    async with running(data_dir) as server, operator(server) as caller:
        with pytest.raises(Refused, match=r"own data folder.*log move.*--cluster") as refused:
            await caller.call("Replicas/Invite")
        assert refused.value.code.name == "FAILED_PRECONDITION"
        (own,) = (await caller.call("Replicas/List")).replicas
        assert (own.self, own.state) == (True, pb.REPLICA_STATE_RUNNING)
        assert not own.HasField("role")


async def test_a_server_without_tls_gives_nothing_away(data_dir: Path, address: str) -> None:
    """Neither an invitation nor, to whoever asks the bootstrap port, what one is worth."""
    more: dict[str, Any] = {"cluster": address, "cluster_replicas": 1, "plaintext": True}
    async with running(data_dir, **more) as server, admin(server) as client:
        with pytest.raises(FailedPrecondition, match=r"without TLS.*--plaintext"):
            await client.call("Replicas.Invite", pb.InviteReplicaRequest())
        request = RedeemInvitationRequest(code="0" * 24, attempt="0" * 32, replica_id="b")
        there = Channel(LOOPBACK, server.endpoints.bootstrap_port, None, BOOTSTRAP_PORT)
        async with there as stranger:
            with pytest.raises(FailedPrecondition, match=r"without TLS.*--plaintext"):
                await stranger.call("Redeem", request)


def test_the_files_of_an_invitation_are_used_where_an_address_names_none(tmp_path: Path) -> None:
    """Named ones win; certificate and key go together."""
    folder = DataFolder(tmp_path)
    folder.nats.mkdir()
    bare = stream_address("nats://a/nc?monitor=1", folder)
    assert (bare.is_tls, bare.ca, bare.certificate, bare.credentials) == (False, None, None, None)
    for name in NATS_FILES.values():
        (folder.nats / name).touch()
    filled = stream_address("nats://a/nc?monitor=1", folder)
    files = (filled.ca, filled.certificate, filled.key, filled.credentials)
    assert files == tuple(folder.nats / name for name in NATS_FILES.values())
    assert filled.is_tls
    named = stream_address("nats://a/nc?cert=c&key=k&ca=x", folder)
    assert (named.ca, named.certificate, named.key) == (Path("x"), Path("c"), Path("k"))
