"""nc.admin.v1.Administrators and Server over real TLS."""

from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from nc.pb.admin.v1 import administrators_pb2 as pb
from tests.support.operators import Refused, operator
from tests.support.whole_server import MovableClock, running

Code = grpc.StatusCode
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


def request_for(key: Key) -> str:
    """A certificate request that says it is for somebody else."""
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else SHA256()
    name = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "nc:admin")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    return builder.sign(key, algorithm).public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize(
    "new_key",
    [
        lambda: ec.generate_private_key(ec.SECP384R1()),
        lambda: rsa.generate_private_key(65537, 2048),
    ],
    ids=["EC", "RSA"],
)
async def test_a_certificate_is_issued_for_a_key_that_stays_with_its_owner(
    data_dir: Path, new_key: Callable[[], Key]
) -> None:
    """Only the request's key counts: name and role are those of the call."""
    key = new_key()
    async with running(data_dir) as server, operator(server) as admin:
        answer = await admin.call(
            "Administrators/Issue",
            name="eve",
            role=pb.ROLE_VIEWER,
            csr_pem=request_for(key),
            lifetime_s=3600,
        )
        assert answer.key_pem == ""
        made = answer.administrator
        assert (made.name, made.role, made.self) == ("eve", pb.ROLE_VIEWER, False)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        async with operator(server, pem, answer.certificate_pem.encode()) as viewer:
            listed = await viewer.call("Administrators/List")
            assert [(each.name, each.self) for each in listed.administrators] == [
                ("admin", False),
                ("eve", True),
            ]
        certificate = x509.load_pem_x509_certificate(answer.certificate_pem.encode())
        left = certificate.not_valid_after_utc.timestamp() * 1000 - made.issued_at_ms
        assert abs(left - 3_600_000) < 60_000


async def test_what_cannot_be_issued_is_said(data_dir: Path) -> None:
    """Names, roles, lifetimes and requests; nothing is recorded."""
    weak = request_for(rsa.generate_private_key(65537, 1024))  # noqa: S505 - to be refused
    other = request_for(ed25519.Ed25519PrivateKey.generate())
    good = request_for(ec.generate_private_key(ec.SECP256R1()))
    lines = good.splitlines()
    forged = "\n".join([*lines[:-2], lines[-2][::-1], lines[-1]])
    async with running(data_dir) as server, operator(server) as admin:
        before = server.replica.state
        for fields, says in (
            ({"name": ""}, "name"),
            ({"name": "a b"}, "name"),
            ({"name": "x" * 64}, "name"),
            ({"role": 0}, "ROLE_VIEWER"),
            ({"role": 9}, "ROLE_VIEWER"),
            ({"lifetime_s": -1}, "lifetime_s"),
            ({"lifetime_s": 4000 * 86_400}, "4000 days is not from one second to ten years"),
            ({"csr_pem": "x"}, "PKCS #10"),
            ({"csr_pem": "x" * 20_000}, "bytes"),
            ({"csr_pem": weak}, "2048"),
            ({"csr_pem": other}, "P-256"),
            ({"csr_pem": forged}, "certificate request"),
        ):
            request = pb.IssueAdministratorRequest(name="eve", role=pb.ROLE_ADMIN)
            request.MergeFrom(pb.IssueAdministratorRequest(**fields))
            for field, value in fields.items():
                setattr(request, field, value)
            with pytest.raises(Refused) as refused:
                await admin.call("Administrators/Issue", request)
            assert refused.value.code is Code.INVALID_ARGUMENT, fields
            assert says in refused.value.details, (fields, refused.value.details)
        assert server.replica.state is before
        with pytest.raises(Refused) as refused:
            await admin.call("Administrators/Revoke", administrator="nobody")
        assert refused.value.code is Code.NOT_FOUND


async def test_a_server_tells_how_it_is(data_dir: Path) -> None:
    """Its version, network, log, certificates and nodes; a healthy one has nothing to complain.

    Tokens that have expired or were revoked are counted apart.
    """
    clock = MovableClock()
    async with running(data_dir, clock) as server, operator(server) as admin:
        await admin.call("BootstrapTokens/Issue", lifetime_s=3600)
        await admin.call("BootstrapTokens/Issue", lifetime_s=60)
        revoked = await admin.call("BootstrapTokens/Issue", lifetime_s=60)
        await admin.call("BootstrapTokens/Revoke", token=revoked.token)
        clock.ahead_ms = 61_000
        status = await admin.call("Server/Status")
        assert (status.tokens_expired, status.tokens_revoked) == (1, 1)
        assert (status.network, status.addresses_total) == ("10.1.1.1/24", 126)
        assert (status.tokens, status.nodes_idle, list(status.degraded)) == (1, 0, [])
        assert status.log.folder == str(server.folder.log)
        assert (status.log.first_seq, status.log.last_seq) == (1, server.replica.state.seq)
        assert status.log.size_bytes > 0
        assert status.log.free_bytes > 0
        assert status.log.writable
        kinds = [(each.authority, each.kind) for each in status.certificates]
        assert kinds == [(a, k) for a in ("grpc", "network") for k in ("ca", "server", "client")]
        assert all(each.not_after_ms > status.now_ms for each in status.certificates)
        assert all(
            bool(each.renewed_from_ms) == (each.kind != "ca") for each in status.certificates
        )
        links = await admin.call("Server/Links")
        assert (list(links.links), links.total) == ([], 0)
