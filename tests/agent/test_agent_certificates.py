"""Whom an agent trusts, and what it says of a node's certificates that are not usable."""

import re
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nc.agent.certificates import node_tls
from nc.agent.connecting import connect
from nc.agent.link_errors import UntrustedServer
from nc.pki.errors import PkiError
from nc.pki.folder import PkiFolder
from tests.support.node_certificates import network_folder, node_folder
from tests.support.plain_link_server import PlainLinkServer, server_tls
from tests.support.plain_text_agent import target


def client_tls(folder: PkiFolder, path: Path) -> ssl.SSLContext:
    """What a node of this CA's has."""
    return node_tls(node_folder(folder, path)).context


async def test_only_our_own_server_is_trusted(tmp_path: Path) -> None:
    """With our CA and its name: a link. Another CA or another name: Untrusted, and no token."""
    ours = network_folder(tmp_path / "ours", "127.0.0.1")
    theirs = network_folder(tmp_path / "theirs", "127.0.0.1")
    tls = client_tls(ours, tmp_path / "node")
    async with PlainLinkServer(server_tls(tmp_path / "ours")) as server:
        with pytest.raises(UntrustedServer, match="CA was replaced"):
            await connect(target(server, client_tls(theirs, tmp_path / "their-node")))
        await (await connect(target(server, tls))).close()
        assert server.links.qsize() == 1
    async with PlainLinkServer(server_tls(tmp_path / "ours"), "127.0.0.2") as server:
        with pytest.raises(UntrustedServer, match=r"not for 127\.0\.0\.2 .* --advertise"):
            await connect(replace(target(server, tls), host="127.0.0.2"))
    assert server.links.empty()


def test_a_network_in_the_field_need_not_be_strict(tmp_path: Path) -> None:
    """Certificates without key identifiers, as older servers make them, do on every Python."""
    paths = node_folder(network_folder(tmp_path / "server", "127.0.0.1"), tmp_path / "node")
    context = node_tls(paths).context
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT


@pytest.mark.parametrize(
    ("years", "says"),
    [
        (2, r"it ended 36\d days ago, or this machine's clock .* ahead; .* join again"),
        (-20, r"clock is at least \d+ days behind, .* join again"),
        (0, "^$"),
    ],
)
def test_a_certificate_out_of_its_time_is_used_and_explained(
    tmp_path: Path, years: int, says: str
) -> None:
    """The clock may be wrong: both dates and the clock are named, and the server decides."""
    folder = network_folder(tmp_path / "server", "127.0.0.1")
    tls = node_tls(node_folder(folder, tmp_path / "node"))
    assert re.search(says, tls.problem(datetime.now(UTC) + timedelta(days=365 * years)))


def test_the_end_of_a_certificate_is_announced(tmp_path: Path) -> None:
    """From 30 days before it on."""
    folder = network_folder(tmp_path / "server", "127.0.0.1")
    tls = node_tls(node_folder(folder, tmp_path / "node"))
    end = tls.certificate.not_valid_after_utc
    assert tls.announcement(end - timedelta(days=30, seconds=1)) == ""
    assert "join again" in tls.announcement(end - timedelta(days=30))
    assert "it ended 1 seconds ago" in tls.announcement(end + timedelta(seconds=1))


@pytest.mark.parametrize("name", ["ca.pem", "client.pem", "client-key.pem"])
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, r"/{name}: cannot be read: No such file or directory; "),
        ("none", r"({name}: does not hold|/node: ca\.pem, client\.pem and .* are not usable: )"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, name: str, content: str | None, says: str
) -> None:
    """With what a node can do about it: nothing is ever made in its place."""
    folder = network_folder(tmp_path / "server", "127.0.0.1")
    paths = node_folder(folder, tmp_path / "node")
    path = paths.client.with_name(name)
    path.unlink()
    if content is not None:
        path.write_text(content)
    remedy = "restore the files from a backup, or join again with a new bootstrap token"
    with pytest.raises(PkiError, match=says.format(name=name)) as raised:
        node_tls(paths)
    assert raised.value.remedy == remedy
