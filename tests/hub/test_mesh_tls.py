"""Who may be a peer: a server with a replica's certificate of the network CA, for its session."""

import errno
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nc.agent.certificates import node_tls
from nc.log_events import PEER_UNREACHABLE
from nc.pki import PkiFolder, read_peer
from nc.pki.certificates import NODE_ORGANIZATION, REPLICA_ORGANIZATION
from nc.pki.errors import AuthorityNotYetValid
from nc.pki.replica import replica_context, session_of_replica
from tests.support.link_client import LinkClient, NoUpgrade, packet
from tests.support.mesh_hubs import OFFERS, mesh_hubs
from tests.support.node_certificates import network_folder, node_folder
from tests.support.plain_link_server import server_tls
from tests.support.whole_server import LOOPBACK

DAY_MS = 24 * 60 * 60 * 1000


def context_of(folder: PkiFolder, session: str) -> ssl.SSLContext:
    return replica_context(folder.authority, session, datetime.now(UTC), 77)


async def refusal(port: int, tls: ssl.SSLContext, **headers: str) -> int:
    """The status that a request for `/hub` is refused with."""
    client = await LinkClient.reach(port, tls, LOOPBACK)
    try:
        with pytest.raises(NoUpgrade) as refused:
            await client.upgrade(None, "/hub", **headers)
    finally:
        await client.vanish()
    return refused.value.status


async def test_hubs_are_connected_by_certificates_of_their_sessions(tmp_path: Path) -> None:
    """Packets flow; a node, a session that is not in the log, and a name in a header are refused.

    And a replica's certificate gives no link.
    """
    ours = network_folder(tmp_path / "ours", LOOPBACK)
    theirs = network_folder(tmp_path / "theirs", LOOPBACK)
    tls = server_tls(tmp_path / "ours")
    async with mesh_hubs(2, server_tls=tls, client_tls=lambda s: context_of(ours, s)) as here:
        one, two = here.hubs
        frame = packet("10.1.1.77", "10.1.1.3")
        one.mesh.open[two.session].send(bytes(10) + frame)
        node = node_tls(node_folder(ours, tmp_path / "node")).context
        assert await refusal(one.port, node, nc_replica=two.session) == 403
        stranger = context_of(ours, "session-9")
        assert await refusal(one.port, stranger, nc_replica=two.session) == 503
        with pytest.raises((NoUpgrade, OSError, EOFError)):
            await LinkClient.connect(one.port, "0" * 16, context_of(theirs, two.session))
        with pytest.raises(NoUpgrade) as refused:
            await LinkClient.connect(one.port, "0" * 16, context_of(ours, two.session), **OFFERS)
        assert refused.value.status == 401


@pytest.mark.parametrize(
    ("organization", "days", "session"),
    [
        (REPLICA_ORGANIZATION, 0, "s1"),
        (REPLICA_ORGANIZATION, 400, ""),
        (REPLICA_ORGANIZATION, -400, ""),
        (NODE_ORGANIZATION, 0, ""),
    ],
)
def test_a_session_is_what_a_valid_replicas_certificate_names(
    tmp_path: Path, organization: str, days: int, session: str
) -> None:
    """Not a node's, and not before or after its time, which TLS 1.2 does not look at again."""
    folder = network_folder(tmp_path / "ours", LOOPBACK)
    now = datetime.now(UTC)
    issued = folder.authority.issue_client("s1", organization, now, 5)
    now_ms = int(now.timestamp() * 1000) + days * DAY_MS
    assert session_of_replica(read_peer(issued.certificate_pem), now_ms) == session


@pytest.mark.parametrize(
    "problem",
    [OSError(errno.EMFILE, "no descriptor"), AuthorityNotYetValid(None, "wrong clock", "set it")],
)
async def test_a_peer_is_called_again_once_a_certificate_can_be_made(problem: Exception) -> None:
    """A clock that was set wrong, or descriptors that ran out, part no servers for good."""
    left = [problem] * 2

    def tls(_session: str) -> None:
        if left:
            raise left.pop()

    async with mesh_hubs(2, client_tls=tls) as here:
        assert not left
        said = [
            line["message"] for each in here.hubs for line in each.lines.named(PEER_UNREACHABLE)
        ]
        assert str(problem) in said
