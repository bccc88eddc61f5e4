"""Who is calling, by certificate, by port, and from memory."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from nc.pki.authority import CertificateAuthority, self_signed
from nc.pki.certificates import AuthorityKind
from nc.pki.identity import read_peer
from nc.rpc.callers import (
    ANONYMOUS,
    INTERNAL,
    UNRESTRICTED,
    CallerKind,
    Callers,
    Transport,
    caller_of,
)

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
NODE_ID = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def authority() -> CertificateAuthority:
    """The gRPC CA."""
    return self_signed(AuthorityKind.GRPC, ec.generate_private_key(ec.SECP256R1()), NOW, 1)


def _certificate(
    authority: CertificateAuthority, name: str, organization: str, serial: int = 0xABC
) -> bytes:
    return authority.issue_client(name, organization, NOW, serial).certificate_pem


def test_an_admin_is_known_by_its_organization(authority: CertificateAuthority) -> None:
    """O=nc:admin, whatever the name; recorded by name and serial."""
    caller = Callers().identify(_certificate(authority, "ops", "nc:admin"))
    assert (caller.kind, caller.actor) == (CallerKind.ADMIN, "certificate:ops:abc")
    assert caller.node_id == ""


def test_a_node_is_known_by_its_name(authority: CertificateAuthority) -> None:
    """O=lknm:register: the CN is the node's id; the certificate's time comes along."""
    caller = Callers().identify(_certificate(authority, NODE_ID, "lknm:register"))
    assert (caller.kind, caller.node_id) == (CallerKind.NODE, NODE_ID)
    assert caller.actor == f"certificate:{NODE_ID}:abc"
    end = NOW + timedelta(days=365)
    assert caller.not_after_ms == end.timestamp() * 1000


def test_an_upstream_node_is_known_by_the_name_of_all_of_them(
    authority: CertificateAuthority,
) -> None:
    """Recorded by a fingerprint, since serials may repeat; our own organizations come first."""
    name = "network-controller-grpc-client"
    twins = [_certificate(authority, name, "someone") for _ in range(2)]
    callers = [Callers().identify(pem) for pem in twins]
    assert {each.kind for each in callers} == {CallerKind.UPSTREAM_NODE}
    assert len({each.actor for each in callers}) == 2
    assert callers[0].actor.startswith(f"certificate:{name}:")
    ours = Callers().identify(_certificate(authority, name, "lknm:register"))
    assert (ours.kind, ours.node_id) == (CallerKind.NODE, name)
    other = Callers().identify(_certificate(authority, "network-controller-client", "someone"))
    assert other.kind is CallerKind.STRANGER


@pytest.mark.parametrize("organization", ["someone", "NC:ADMIN", "nc:admin2", "lknm:register "])
def test_anybody_else_is_a_stranger(authority: CertificateAuthority, organization: str) -> None:
    """An organization that is not exactly ours grants nothing, even under a node's name."""
    caller = Callers().identify(_certificate(authority, NODE_ID, organization))
    assert (caller.kind, caller.node_id) == (CallerKind.STRANGER, "")


def test_the_old_admin_is_known_by_fingerprint(authority: CertificateAuthority) -> None:
    """One certificate may be declared the admin's; its twin with another serial is a stranger."""
    admin = _certificate(authority, "laptop", "someone", serial=5)
    twin = _certificate(authority, "laptop", "someone", serial=6)
    callers = Callers({read_peer(admin).fingerprint_sha256})
    assert callers.identify(admin).kind is CallerKind.ADMIN
    assert callers.identify(twin).kind is CallerKind.STRANGER


def test_a_renewed_admin_is_trusted_from_then_on(authority: CertificateAuthority) -> None:
    """`trust_admin` holds at once for whom was called a stranger before; the old one stays."""
    old = _certificate(authority, "laptop", "someone", serial=5)
    renewed = _certificate(authority, "laptop", "someone", serial=6)
    callers = Callers({read_peer(old).fingerprint_sha256})
    assert callers.identify(renewed).kind is CallerKind.STRANGER
    callers.trust_admin(read_peer(renewed).fingerprint_sha256)
    assert callers.identify(renewed).kind is CallerKind.ADMIN
    assert callers.identify(old).kind is CallerKind.ADMIN


def test_memory_is_bounded_and_forgets_nobodys_rights(authority: CertificateAuthority) -> None:
    """More certificates than are cached: each holder is still recognised, the cache stays small."""
    callers = Callers(max_cached_certificates=3)
    pems = {f"n{n}": _certificate(authority, f"n{n}", "lknm:register", n + 1) for n in range(8)}
    for _ in range(2):
        for name, pem in pems.items():
            assert callers.identify(pem).node_id == name
            assert callers.identify.cache_info().currsize <= 3
    assert callers.identify(pems["n7"]) is callers.identify(pems["n7"])


def test_the_port_decides_what_is_known(authority: CertificateAuthority) -> None:
    """Mutual TLS: the certificate's holder; server TLS: nobody; plain text: whoever it is."""
    pem = _certificate(authority, "ops", "nc:admin")
    callers = Callers()

    def certificate() -> bytes:
        return pem

    assert caller_of(certificate, Transport.MUTUAL_TLS, callers).kind is CallerKind.ADMIN
    assert caller_of(certificate, Transport.SERVER_TLS, callers) is ANONYMOUS
    assert caller_of(certificate, Transport.PLAINTEXT, callers) is UNRESTRICTED
    assert caller_of(certificate, Transport.INTERNAL, callers) is INTERNAL


def test_no_certificate_is_nobody() -> None:
    """Should a handshake ever let somebody through without one, it is nobody, and not an error."""
    assert caller_of(lambda: None, Transport.MUTUAL_TLS, Callers()) is ANONYMOUS
