"""A server whose CA is a company's intermediate one: every port, in both directions."""

import base64
import itertools
import shutil
import ssl
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from nc.agent.certificates import node_tls
from nc.agent.connecting import connect
from nc.agent.connection import Target
from nc.agent.link_errors import LinkEnded
from nc.certificate_files import FolderPaths
from nc.client.channel import BOOTSTRAP_PORT, Channel
from nc.client.errors import CallFailed
from nc.client.tls import ClientTls
from nc.pb import network_controller_pb2 as pb
from nc.pki.certificates import ADMIN_ORGANIZATION, NODE_ORGANIZATION
from nc.pki.errors import NotAnAuthority
from nc.pki.trial import require_usable
from tests.support.company_ca import Ca, ca_folder, make_ca
from tests.support.whole_server import LOOPBACK, Lines, WholeServer, running

OPENSSL = shutil.which("openssl") or ""

ROOT = make_ca("Company Root")
OURS = make_ca("Edge Intermediate", ROOT)
SIBLING = make_ca("Another Department", ROOT)

ORDERS = {
    "intermediate": (OURS,),
    "intermediate, root": (OURS, ROOT),
    "root, intermediate": (ROOT, OURS),
    "intermediate, root and another": (OURS, ROOT, SIBLING),
}


def folders(tmp_path: Path, *certificates: Ca) -> dict[str, Any]:
    """Both certificate folders, as settings."""
    return {
        f"{name}_cert_dir": ca_folder(tmp_path / name, OURS, *certificates)
        for name in ("grpc", "network")
    }


async def enrolled(server: WholeServer, tmp_path: Path, trusted: bytes) -> tuple[str, Path]:
    """A node's token, and the folder with its two sets of certificates."""
    paths = server.certificates.grpc.paths
    tls = ClientTls(trusted, paths.client_key.read_bytes(), paths.client.read_bytes())
    async with Channel(LOOPBACK, server.endpoints.control_port, tls) as admin:
        token = await admin.call("GetBootStrapToken", pb.GetBootStrapTokenRequest())
    port = server.endpoints.bootstrap_port
    async with Channel(LOOPBACK, port, ClientTls(trusted), BOOTSTRAP_PORT) as newcomer:
        request = pb.GetTokenRequest(bootStrapToken=token.bootStrapToken)
        answer = await newcomer.call("GetToken", request)
    for name, texts in {
        "grpc": (answer.GrpcCaCert, answer.GrpcClientKey, answer.GrpcClientCert),
        "network": (answer.NetworkCaCert, answer.NetworkClientKey, answer.NetworkClientCert),
    }.items():
        (tmp_path / "node" / name).mkdir(parents=True)
        node = FolderPaths.within(tmp_path / "node" / name)
        for path, text in zip((node.ca, node.client_key, node.client), texts, strict=True):
            path.write_bytes(base64.b64decode(text))
    return answer.token, tmp_path / "node"


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("trusted", [OURS, ROOT], ids=["trusts it", "trusts the root"])
async def test_an_intermediate_ca_serves_every_port(
    tmp_path: Path, order: str, trusted: Ca
) -> None:
    """Administrators, newcomers and nodes verify the server, and it verifies them."""
    certificates = ORDERS[order]
    async with running(tmp_path / "data", **folders(tmp_path, *certificates)) as server:
        token, node = await enrolled(server, tmp_path, trusted.pem)
        grpc = FolderPaths.within(node / "grpc")
        tls = ClientTls(*(p.read_bytes() for p in (grpc.ca, grpc.client_key, grpc.client)))
        async with Channel(LOOPBACK, server.endpoints.control_port, tls) as member:
            answer = await member.call("CheckConnState", pb.CheckConnStateRequest(token=token))
        assert answer.code == "200"
        paths = FolderPaths.within(node / "network")
        context = node_tls(paths).context
        target = Target(LOOPBACK, server.endpoints.link_port, token, context)
        link = await connect(target)
        await link.close()


@pytest.mark.skipif(not OPENSSL, reason="needs the openssl program")
async def test_openssl_verifies_what_nodes_get(tmp_path: Path) -> None:
    """With the root in ca.pem, the CA that GetToken answers verifies node and server, no flags."""
    async with running(tmp_path / "data", **folders(tmp_path, OURS, ROOT)) as server:
        _, node = await enrolled(server, tmp_path, ROOT.pem)
        for name, pki in (("grpc", server.certificates.grpc), ("network", None)):
            ca = node / name / "ca.pem"
            leaves = [("sslclient", node / name / "client.pem")]
            leaves += [("sslserver", pki.paths.server)] if pki else []
            for purpose, leaf in leaves:
                command = [OPENSSL, "verify", "-purpose", purpose, "-CAfile", str(ca), str(leaf)]
                said = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: ASYNC221 - short
                assert said.stdout == f"{leaf}: OK\n"


async def test_a_foreign_client_on_openssl_links_by_the_root(tmp_path: Path) -> None:
    """The link port sends the intermediate CA: Python's own client needs the root alone."""
    async with running(tmp_path / "data", **folders(tmp_path, OURS, ROOT)) as server:
        token, node = await enrolled(server, tmp_path, ROOT.pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=ROOT.pem.decode())
        paths = FolderPaths.within(node / "network")
        context.load_cert_chain(paths.client, paths.client_key)
        link = await connect(Target(LOOPBACK, server.endpoints.link_port, token, context))
        await link.close()


async def test_certificates_of_a_sibling_ca_are_nobodys(tmp_path: Path) -> None:
    """What another CA under the same root signs opens no port, whatever its subject says."""
    async with running(tmp_path / "data", **folders(tmp_path, OURS, ROOT)) as server:
        token, _ = await enrolled(server, tmp_path, ROOT.pem)
        now = datetime.now(UTC)
        admin = SIBLING.authority.issue_client("admin", ADMIN_ORGANIZATION, now, 77)
        tls = ClientTls(ROOT.pem, admin.key_pem, admin.certificate_pem + SIBLING.pem)
        async with Channel(LOOPBACK, server.endpoints.control_port, tls) as client:
            with pytest.raises(CallFailed, match="UNAVAILABLE"):
                await client.call("GetBootStrapToken", pb.GetBootStrapTokenRequest())
        node = SIBLING.authority.issue_client("ab" * 16, NODE_ORGANIZATION, now, 78)
        tls = ClientTls(ROOT.pem, node.key_pem, node.certificate_pem + SIBLING.pem)
        with pytest.raises(LinkEnded):
            await connect(
                Target(LOOPBACK, server.endpoints.link_port, token, tls.context(), timeout_s=60)
            )


@pytest.mark.parametrize(
    ("extension", "reason"),
    [
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), "unsuitable|unsupported"),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), "unsuitable|unsupported"),
        (
            x509.NameConstraints([x509.DNSName("company.example")], None),
            "permitted subtree violation",
        ),
    ],
    ids=["for servers only", "for clients only", "for other names"],
)
async def test_a_limited_intermediate_ca_is_refused_at_start(
    tmp_path: Path, extension: x509.ExtensionType, reason: str
) -> None:
    """A CA whose limits make TLS refuse what it signs: the start fails, and says so."""
    limited = make_ca("Limited", ROOT, [extension])
    folder = ca_folder(tmp_path / "grpc", limited, limited, ROOT)
    with pytest.raises(NotAnAuthority, match=reason):
        async with running(tmp_path / "data", grpc_cert_dir=folder):
            raise AssertionError("it started")


async def test_an_incomplete_chain_is_a_warning(tmp_path: Path) -> None:
    """Without its root an intermediate CA serves our programs, and a warning names the others."""
    lines = Lines()
    async with running(tmp_path / "data", lines=lines, **folders(tmp_path, OURS)):
        pass
    messages = [line["message"] for line in lines.named("certificate.warning")]
    assert len(messages) == 2
    assert all("append the certificates above it" in message for message in messages)


def test_the_trial_of_a_ca_puts_no_key_on_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does a start need a folder for temporary files, which small containers do not have."""
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
    assert OURS.authority.is_intermediate
    require_usable(OURS.authority, datetime.now(UTC), itertools.count(1).__next__)
