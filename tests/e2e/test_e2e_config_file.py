"""Configuration files and certificate folders of before: everything in them is honoured."""

import json
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509

from tests.e2e.contract_peer import ContractClient
from tests.e2e.deployment import Deployment
from tests.e2e.e2e_process import START_TIMEOUT_S, ServerProcess
from tests.support.request_ids import request_id_of

NAMES = "DNS:localhost,IP:127.0.0.1,IP:::1,DNS:nc.example.com,IP:10.9.0.1"
GREETING_END = "  ncadm "  # the last line of what a person is shown at start

PATIENCE_S = 60.0


class Field(NamedTuple):
    """A server as it runs in the field: a file describes it, its certificates are openssl's."""

    deployment: Deployment
    folder: Path
    ports: tuple[int, ...]
    certificates: dict[Path, bytes]  # as they were before the server saw them


def _make_certificates(folder: Path) -> dict[Path, bytes]:
    """A CA, a server and a client as people make them by hand: RSA, subjects of their own."""
    folder.mkdir()

    def make(name: str, subject: str, *options: str) -> None:
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-noenc", "-days", "900"]
        command += ["-keyout", f"{name}-key.pem", "-out", f"{name}.pem", "-subj", subject]
        subprocess.run([*command, *options], check=True, capture_output=True, cwd=folder)

    signed = ("-CA", "ca.pem", "-CAkey", "ca-key.pem", "-addext", "basicConstraints=CA:FALSE")
    make("ca", f"/O=someone/CN=old {folder.name} CA", "-addext", "keyUsage=keyCertSign")
    make("server", "/CN=old server", *signed, "-addext", f"subjectAltName={NAMES}")
    make("client", "/O=someone/CN=the one with the laptop", *signed)
    return {path: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def field(
    tmp_path_factory: pytest.TempPathFactory, contract_client: ContractClient
) -> Iterator[Field]:
    """Started by `network-controller --config FILE`, and nothing else."""
    folder = tmp_path_factory.mktemp("field")
    certificates = _make_certificates(folder / "grpc") | _make_certificates(folder / "network")
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        ports = tuple(listener.getsockname()[1] for listener in sockets)
    config = folder / "nc.yaml"
    config.write_text(
        f"""
mode: server
server:
  ip: nc.example.com
  port: {ports[2]}
  grpcPort: {ports[0]}
  bootstrapPort: {ports[1]}
  grpcCertDir: {folder}/grpc
  networkCertDir: {folder}/network
  networkAddr: 10.9.0.1/16
  logDir: {folder}/logs
  workDir: {folder}/work
  tlsDir: {folder}/tls
  debug: true
  mtu: 1380
  interconnection: false
"""
    )
    server = ServerProcess(folder / "work", options=("--config", str(config)))
    server.launch()
    with server:
        server.stdout.wait_for(lambda line: line.startswith(GREETING_END), START_TIMEOUT_S)
        server.grpc_port, server.bootstrap_port, server.link_port = ports
        deployment = Deployment(server, contract_client, grpc_pki=folder / "grpc")
        yield Field(deployment, folder, ports, certificates)


def test_addresses_and_ports_are_the_files(field: Field) -> None:
    """`ip`, `port`, `grpcPort`, `bootstrapPort`, `networkAddr` are what clients are told."""
    issued = field.deployment.admin.call("GetBootStrapToken").response
    assert (issued["cloudIp"], issued["port"]) == ("nc.example.com", str(field.ports[1]))
    told = field.deployment.register().response
    assert (told["networkServerIp"], told["networkServerPort"]) == (
        "nc.example.com",
        str(field.ports[2]),
    )
    assert (told["grpcServerIp"], told["grpcServerPort"]) == ("10.9.0.1", str(field.ports[0]))
    started = field.deployment.server.events()[0]
    assert started["network_address"] == "10.9.0.1/16"


def test_certificates_that_exist_are_used_as_they_are(field: Field) -> None:
    """RSA and foreign subjects: not one byte of the twelve files changes, and TLS works."""
    for path, content in field.certificates.items():
        assert path.read_bytes() == content, path
    assert len(field.certificates) == 12
    assert field.deployment.newcomer.call("HealthCheck").code == "200"


def test_the_old_admin_is_the_admin(field: Field) -> None:
    """client.pem of the folder may do everything, whatever its subject says."""
    assert field.deployment.admin.call("GetBootStrapToken").code == "200"
    node = field.deployment.register()
    assert field.deployment.admin.expire((node.token, 1)).code == "200"
    assert field.deployment.admin.call("UnRegister", {"token": node.token}).code == "200"


def test_nodes_are_signed_by_the_old_cas(field: Field) -> None:
    """A new node's certificates chain to the RSA CAs, and open the control port."""
    node = field.deployment.register()
    for name, tls in (("grpc", node.grpc_tls), ("network", node.network_tls)):
        assert tls.ca.encode() == field.certificates[field.folder / name / "ca.pem"]
        assert tls.certificate is not None
        certificate = x509.load_pem_x509_certificate(tls.certificate.encode())
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(tls.ca.encode()))
    assert node.caller.call("CheckConnState", {"token": node.token}).code == "200"


def test_the_admin_client_finds_its_files(field: Field) -> None:
    """The `tlsDir` gets grpc/ca.crt, client.crt and client.key, the key for its owner alone."""
    folder = field.folder / "tls" / "grpc"
    copies = {"ca.crt": "ca.pem", "client.crt": "client.pem", "client.key": "client-key.pem"}
    assert {path.name for path in folder.iterdir()} == set(copies)
    for copy, original in copies.items():
        assert (folder / copy).read_bytes() == (field.folder / "grpc" / original).read_bytes()
    assert stat.S_IMODE((folder / "client.key").stat().st_mode) == 0o600


def test_log_lines_go_where_the_file_says(field: Field) -> None:
    """The `logDir` gets every line, and stderr none."""
    request_id = request_id_of("to-the-file")
    field.deployment.newcomer.call("HealthCheck", metadata={"x-request-id": request_id})
    (path,) = (field.folder / "logs").iterdir()
    deadline = time.monotonic() + PATIENCE_S  # lines are written together, a little later
    while request_id not in path.read_text() and time.monotonic() < deadline:
        pass
    lines: list[dict[str, Any]] = [json.loads(line) for line in path.read_text().splitlines()]
    assert {"server.started", "rpc"} <= {line["event"] for line in lines}
    assert [line["method"] for line in lines if line.get("request_id") == request_id] == [
        "HealthCheck"
    ]
    assert field.deployment.server.stderr.so_far == []


def test_the_work_folder_is_the_data_folder(field: Field) -> None:
    """The `workDir` holds what is the server's own, and no certificates."""
    made = {path.name for path in (field.folder / "work").iterdir()}
    assert made == {"log", "secret.key", "links.sock"}


def test_what_the_command_line_says_wins(tmp_path: Path, contract_client: ContractClient) -> None:
    """`serve --config FILE` with options: the options count, the rest is the file's."""
    config = tmp_path / "nc.yaml"
    config.write_text(
        f"mode: server\nserver:\n  ip: nc.example.com\n  port: 1\n  workDir: {tmp_path}/file\n"
        "  grpcPort: 1\n  bootstrapPort: 1\n  networkAddr: 10.9.0.1/16\n"
        f"  tlsDir: {tmp_path}/tls\n"
    )
    options = ("--config", str(config), "--network-addr", "10.8.0.1/24", "--plaintext")
    with ServerProcess(tmp_path / "option", *options) as server:
        deployment = Deployment(server, contract_client, plaintext=True)
        told = deployment.register().response
        told_link = told["networkServerIp"], told["networkServerPort"]
        assert told_link == ("127.0.0.1", str(server.link_port))
        assert told["grpcServerIp"] == "10.8.0.1"
    assert (tmp_path / "tls" / "grpc" / "client.crt").exists()
    assert (tmp_path / "option" / "secret.key").exists()
    assert not (tmp_path / "file").exists()
