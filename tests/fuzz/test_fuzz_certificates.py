"""Client certificates that our CA has signed and that make no sense: they grant nothing."""

import datetime as dt
import ssl
from collections.abc import Callable
from typing import NamedTuple

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.fuzz.watch import METHODS, Outcome, Watched, call
from tests.support.server_process import CHANNEL_OPTIONS, ServerProcess

CN, O = NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME  # noqa: E741 - as subjects write it
GREETING, ISSUE = METHODS[0], METHODS[2]
DENIED = grpc.StatusCode.PERMISSION_DENIED
MARK = "PATCHED-BYTES"

# Each subject, as types and texts; none of them is the admin's, nor a registered node's.
SUBJECTS: dict[str, list[x509.NameAttribute[str]]] = {
    "nobody": [],
    "no organisation": [x509.NameAttribute(CN, "admin")],
    "organisation in another case": [x509.NameAttribute(O, "NC:ADMIN")],
    "organisation with a space": [x509.NameAttribute(O, "nc:admin ")],
    "organisation as common name": [x509.NameAttribute(CN, "nc:admin")],
    "organisational unit": [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "nc:admin")],
    "both in one": [x509.NameAttribute(O, "nc:admin,lknm:register")],
    "a zero inside": [x509.NameAttribute(O, "nc:admin\0")],
    "a node without a name": [x509.NameAttribute(O, "lknm:register")],
    "a node with two names": [
        x509.NameAttribute(O, "lknm:register"),
        x509.NameAttribute(CN, "a" * 32),
        x509.NameAttribute(CN, "b" * 32),
    ],
    "a node with an odd name": [
        x509.NameAttribute(O, "lknm:register"),
        x509.NameAttribute(CN, '"}\n{"event":"rpc.crashed"}\x1b[2J'),
    ],
    "another alphabet": [x509.NameAttribute(O, "nc:\u0430dmin")],
    "two bytes a letter": [x509.NameAttribute(O, "nc-admin", _ASN1Type.BMPString)],
    "many": [x509.NameAttribute(O, f"organisation {n}") for n in range(50)],
}

# Bytes that stand in a text of the certificate, although no text has them.
PATCHES: dict[str, bytes] = {
    "not UTF-8": b"\xff\xfe\xfd" + b"x" * (len(MARK) - 3),
    "half a surrogate pair": b"\xed\xa0\x80" + b"x" * (len(MARK) - 3),
    "zeros": bytes(len(MARK)),
}


class Identity(NamedTuple):
    """A client's key and certificate, PEM."""

    key: bytes
    certificate: bytes


def forge(server: ServerProcess, subject: x509.Name, patch: Callable[[bytes], bytes]) -> Identity:
    """A certificate of the server's own CA; `patch` changes what is signed."""
    pki = server.data_dir / "pki" / "grpc"
    ca = x509.load_pem_x509_certificate((pki / "ca.pem").read_bytes())
    ca_key = load_pem_private_key((pki / "ca-key.pem").read_bytes(), None)
    assert isinstance(ca_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(ca_key, SHA256())
    )
    body = patch(made.tbs_certificate_bytes)
    signature = ca_key.sign(body, ec.ECDSA(SHA256()))
    algorithm = bytes.fromhex("300a06082a8648ce3d040302")  # ecdsa-with-SHA256
    whole = _tagged(0x30, body + algorithm + _tagged(0x03, b"\0" + signature))
    return Identity(
        key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        _pem(whole),
    )


def _tagged(tag: int, content: bytes) -> bytes:
    """DER: a tag, a length, the content."""
    if len(content) < 128:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + content


def _pem(der: bytes) -> bytes:
    return ssl.DER_cert_to_PEM_cert(der).encode()


def _ask(target: str, watched: Watched, identity: Identity, path: str) -> Outcome:
    ca = (watched.server.data_dir / "pki" / "grpc" / "ca.pem").read_bytes()
    credentials = grpc.ssl_channel_credentials(ca, identity.key, identity.certificate)
    with grpc.secure_channel(target, credentials, CHANNEL_OPTIONS) as channel:
        return call(channel, path, b"", refused_handshake_is_fine=True)


def _assert_grants_nothing(watched: Watched, identity: Identity) -> set[grpc.StatusCode]:
    """No method of the control port is allowed; returns how each was refused."""
    outcomes = [
        _ask(watched.server.control_target, watched, identity, path)
        for path in (GREETING, ISSUE, "/grpc.health.v1.Health/Check")
    ]
    for outcome in outcomes:
        assert outcome.status in {DENIED, grpc.StatusCode.UNAVAILABLE}
        assert outcome.status is not DENIED or "certificate" in outcome.details
    return {outcome.status for outcome in outcomes}


@pytest.mark.parametrize("subject", SUBJECTS)
def test_an_odd_subject_grants_nothing(subject: str, secure: Watched) -> None:
    """Only the very organisation of an admin, or a registered node's name, opens anything."""
    name = x509.Name(SUBJECTS[subject])
    identity = forge(secure.server, name, lambda body: body)
    assert _assert_grants_nothing(secure, identity) == {DENIED}
    # The bootstrap port takes no notice of certificates.
    target = secure.server.bootstrap_target
    assert _ask(target, secure, identity, GREETING).status is grpc.StatusCode.OK


@pytest.mark.parametrize("patch", PATCHES)
@pytest.mark.parametrize("kind", [_ASN1Type.UTF8String, _ASN1Type.PrintableString])
def test_a_subject_that_is_no_text_grants_nothing(
    patch: str, kind: _ASN1Type, secure: Watched
) -> None:
    """Names that cannot be read either fail the handshake or are nobody's."""
    name = x509.Name([x509.NameAttribute(O, MARK, kind)])
    replacement = PATCHES[patch]
    identity = forge(secure.server, name, lambda b: b.replace(MARK.encode(), replacement))
    assert len(_assert_grants_nothing(secure, identity)) == 1
