"""The names in the server's certificates, as clients see them on the wire."""

import socket
import ssl
from pathlib import Path

import pytest
from cryptography import x509

from tests.e2e.deployment import Deploy, Deployment

NAMES = ("localhost", "127.0.0.1", "::1", "10.1.1.1")


def _shown(deployment: Deployment, port: int, name: str) -> x509.Certificate:
    """The certificate that a port shows; raises ssl.SSLError when `name` is not in it."""
    folder = deployment.server.data_dir / "pki" / "grpc"
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.load_cert_chain(folder / "client.pem", folder / "client-key.pem")
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection(("127.0.0.1", port), timeout=60) as connection,
        context.wrap_socket(connection, server_hostname=name) as tls,
    ):
        der = tls.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der)


def _sans(certificate: x509.Certificate) -> set[str]:
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return {str(name.value) for name in extension.value}


@pytest.mark.parametrize("port", ["grpc_port", "bootstrap_port"])
def test_the_server_answers_to_its_names_and_to_no_other(deployment: Deployment, port: str) -> None:
    """Each name passes a client's check; the certificate carries these and nothing else."""
    number: int = getattr(deployment.server, port)
    for name in NAMES:
        assert _sans(_shown(deployment, number, name)) == set(NAMES)
    for name in ("example.com", "127.0.0.2", "10.1.1.2"):
        with pytest.raises(ssl.SSLCertVerificationError):
            _shown(deployment, number, name)


def test_other_names_are_added_under_the_same_ca(deploy: Deploy) -> None:
    """Another `--advertise` and network renew the certificate; old nodes still connect."""
    with deploy() as before:
        node = before.register()
        old = _shown(before, before.server.grpc_port, "127.0.0.1")
    options = ("--advertise", "nc.example.com", "--network-addr", "10.9.0.1/16")
    with deploy(*options) as after:
        for port in (after.server.grpc_port, after.server.bootstrap_port):
            new = _shown(after, port, "nc.example.com")
            assert _sans(new) >= {"nc.example.com", "10.9.0.1", "localhost", "127.0.0.1", "::1"}
            assert new.serial_number != old.serial_number
            assert new.issuer == old.issuer
        caller = after.on_control_port(node.grpc_tls)
        assert caller.call("CheckConnState", {"token": node.token}).code == "200"
        assert _ca(after.server.data_dir) == node.grpc_tls.ca
        told = after.register().response
        assert (told["networkServerIp"], told["grpcServerIp"]) == ("nc.example.com", "10.9.0.1")
        answer = after.admin.call("GetRegistedIp", {"token": "reserverd"})
        assert answer.response["ip"] == "10.9.0.1"


def _ca(data_dir: Path) -> str:
    return (data_dir / "pki" / "grpc" / "ca.pem").read_text()
