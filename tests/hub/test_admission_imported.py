"""Which links an upstream server's certificates open."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from nc.domain.events import CertificatesRenewed, Event, LitekubeImported, NodeRegistered
from nc.domain.evolve import evolve
from nc.domain.state import State
from nc.hub.admission import admit
from nc.hub.refusals import LinkRefused
from nc.pki.authority import self_signed
from nc.pki.certificates import AuthorityKind
from nc.secrets import TokenIds

NOW = datetime(2030, 1, 2, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
IDS = TokenIds(bytes(32))
NAME = "network-controller-client"
AUTHORITY = self_signed(AuthorityKind.NETWORK, ec.generate_private_key(ec.SECP256R1()), NOW, 1)


def certificate(name: str, organization: str = "") -> bytes:
    return AUTHORITY.issue_client(name, organization or "upstream", NOW, 7).certificate_pem


def state(*more: Event) -> State:
    """Two nodes were imported, one enrolled here."""
    nodes = [
        NodeRegistered(node_id=IDS.id_of(name), name=name, imported=name != "native")
        for name in ("first", "second", "native")
    ]
    events = [*(Event(node_registered=node) for node in nodes), *more]
    return evolve(State(), [*events, Event(litekube_imported=LitekubeImported())], 1)


def test_it_opens_the_link_of_any_imported_node() -> None:
    """It names none: the token says which; the link ends with it."""
    for token in ("first", "second"):
        admitted = admit(token, certificate(NAME), IDS, state(), NOW_MS)
        assert admitted.node_id == IDS.id_of(token)
        assert admitted.ends_at_ms == NOW_MS + 365 * 24 * 3600 * 1000


@pytest.mark.parametrize("token", ["native", "unknown", ""])
def test_it_opens_no_other(token: str) -> None:
    """Neither of a node that enrolled here nor of none; and it makes nobody wait."""
    with pytest.raises(LinkRefused) as refused:
        admit(token, certificate(NAME), IDS, state(), NOW_MS)
    assert type(refused.value) is LinkRefused


@pytest.mark.parametrize("name", ["network-controller-grpc-client", "someone", IDS.id_of("second")])
def test_another_certificate_opens_nothing(name: str) -> None:
    """Only the one name of upstream's network CA, or the node's own id."""
    with pytest.raises(LinkRefused):
        admit("first", certificate(name, "lknm:register"), IDS, state(), NOW_MS)


def test_it_is_refused_once_the_node_has_renewed() -> None:
    """From then on the node has a certificate with its id, which no other node's opens."""
    node_id = IDS.id_of("first")
    renewed = Event(certificates_renewed=CertificatesRenewed(node_id=node_id, key_sha256="ab"))
    after = state(renewed)
    with pytest.raises(LinkRefused):
        admit("first", certificate(NAME), IDS, after, NOW_MS)
    own = certificate(node_id, "lknm:register")
    assert admit("first", own, IDS, after, NOW_MS).node_id == node_id
    assert admit("second", certificate(NAME), IDS, after, NOW_MS).node_id == IDS.id_of("second")


def test_it_is_refused_when_it_has_ended() -> None:
    """Its dates count as those of any certificate."""
    later_ms = NOW_MS + 400 * 24 * 3600 * 1000
    with pytest.raises(LinkRefused, match=r"ended at .*; renew it at the bootstrap port"):
        admit("first", certificate(NAME), IDS, state(), later_ms)
