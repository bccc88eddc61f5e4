"""An address for each port, and the internal port with the documented Python client."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.contract_peer import ContractClient
from tests.e2e.deployment import Deployment
from tests.e2e.e2e_process import ServerProcess
from tests.support.programs import run_program

ROOT = Path(__file__).parent.parent.parent
INTERNAL_AT = "127.40.0.2"  # nothing else of this machine listens there
INTERNAL_PORT = 6442

# The client of the API document, unchanged but for its arguments.
DOCUMENTED_CLIENT = """
import sys

import grpc
import sensor_pb2
import sensor_pb2_grpc

address, ca, token, at = sys.argv[1:]
with open(ca, "rb") as f:
    credentials = grpc.ssl_channel_credentials(root_certificates=f.read())
options = (("grpc.ssl_target_name_override", "localhost"),)
with grpc.secure_channel(address, credentials, options) as channel:
    stub = sensor_pb2_grpc.InternalStub(channel)
    request = sensor_pb2.SensorExpireTimeRequest(
        sensorExpire=[sensor_pb2.SensorExpire(deviceToken=token.encode(), expireTime=int(at))]
    )
    response = stub.UpdateSensorExpireTime(request, timeout=60)
    print(response.code, response.message)
"""


@pytest.fixture(scope="module")
def documented_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client and its stubs, made from `proto/sensor.proto`."""
    folder = tmp_path_factory.mktemp("client")
    command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={ROOT / 'proto'}"]
    command += [f"--python_out={folder}", f"--grpc_python_out={folder}"]
    subprocess.run([*command, "sensor.proto"], check=True)
    (folder / "client.py").write_text(DOCUMENTED_CLIENT)
    return folder / "client.py"


@contextmanager
def internal(tmp_path: Path, client: ContractClient, *more: str) -> Iterator[Deployment]:
    """A server with an internal port."""
    options = ("--internal-port", str(INTERNAL_PORT), "--internal-listen", INTERNAL_AT, *more)
    with ServerProcess(tmp_path / "data", *options) as server:
        yield Deployment(server, client)


def call(client: Path, deployment: Deployment, token: str, at: int) -> str:
    """What the documented client prints."""
    ca = deployment.server.data_dir / "pki" / "grpc" / "ca.pem"
    words = [f"{INTERNAL_AT}:{INTERNAL_PORT}", str(ca), token, str(at)]
    done = subprocess.run(
        [sys.executable, str(client), *words], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_the_documented_client_sets_an_expiry(
    tmp_path: Path, contract_client: ContractClient, documented_client: Path
) -> None:
    """No certificate is asked for: a node token is the right to change its expiry."""
    with internal(tmp_path, contract_client) as deployment:
        node = deployment.register()
        assert call(documented_client, deployment, node.token, 1) == "200 ok"
        answer = deployment.admin.call("CheckConnState", {"token": node.token})
        assert answer.code == "400"
        assert call(documented_client, deployment, node.token, 0) == "200 ok"
        answer = deployment.admin.call("CheckConnState", {"token": node.token})
        assert answer.code == "200"
        assert call(documented_client, deployment, "f" * 16, 0).startswith("400 ")
        line = deployment.server.wait_for("server.internal_port")
        assert "asks for no certificate" in line["message"]


def test_the_internal_port_serves_nothing_else(
    tmp_path: Path, contract_client: ContractClient
) -> None:
    """Neither the control service nor the bootstrap service is there."""
    with internal(tmp_path, contract_client) as deployment:
        stubs = f"""
import grpc
ca = open({str(deployment.server.data_dir / "pki/grpc/ca.pem")!r}, "rb").read()
with grpc.secure_channel("{INTERNAL_AT}:{INTERNAL_PORT}", grpc.ssl_channel_credentials(ca),
                         (("grpc.ssl_target_name_override", "localhost"),)) as channel:
    for path in ("LiteKubeNCService/GetBootStrapToken", "LiteKubeNCBootstrapService/GetToken"):
        try:
            channel.unary_unary("/pb." + path)(b"", timeout=60)
        except grpc.RpcError as error:
            print(error.code().name)
"""
        done = subprocess.run(
            [sys.executable, "-c", stubs], capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == ["UNIMPLEMENTED"] * 2


def test_it_is_off_by_default(tmp_path: Path, contract_client: ContractClient) -> None:
    """Without the option there are three ports, and no word of a fourth."""
    with ServerProcess(tmp_path / "data") as server:
        assert Deployment(server, contract_client).admin.call("HealthCheck").code == "200"
        assert "server.internal_port" not in "\n".join(server.stderr.so_far)


def is_open(host: str, port: int) -> bool:
    """Whether something listens there."""
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


@pytest.mark.parametrize("how", ["options", "configuration"])
def test_each_port_listens_where_it_is_told_to(tmp_path: Path, how: str) -> None:
    """Every port is reached at its own address, and at no other."""
    at = {"grpc": "127.40.1.1", "bootstrap": "127.40.1.2", "link": "127.40.1.3"}
    if how == "options":
        words = [w for name, ip in at.items() for w in (f"--{name}-listen", ip)]
    else:
        file = tmp_path / "nc.yaml"
        keys = "".join(f"  {name}Listen: {ip}\n" for name, ip in at.items())
        file.write_text(f"mode: server\nserver:\n{keys}")
        words = ["--config", str(file)]
    with ServerProcess(tmp_path / "data", *words) as server:
        ports = {"grpc": server.grpc_port, "bootstrap": server.bootstrap_port}
        for name, port in (ports | {"link": server.link_port}).items():
            assert {ip for ip in (*at.values(), "127.40.1.4") if is_open(ip, port)} == {at[name]}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--listen", "eth0"), "--listen: expected an IP address of this machine"),
        (("--listen", "127.0.0.1:6440"), "--listen: expected an IP address"),
        (("--link-listen", "fe80::1%lo"), "--link-listen: expected an IP address"),
        (("--listen", "192.0.2.77"), "this machine has no such address"),
        (("--internal-port", "0"), "--internal-port: expected a port number, 1 to 65535"),
    ],
)
def test_an_address_that_cannot_be_had_is_named(
    tmp_path: Path, options: tuple[str, ...], says: str
) -> None:
    """One line, before anything is made."""
    command = ["serve", "--data-dir", str(tmp_path / "data"), "--tun", "off"]
    command += ["--advertise", "127.0.0.1", "--grpc-port", "0", "--bootstrap-port", "0"]
    done = run_program("network-controller", *command, "--link-port", "0", *options)
    assert done.returncode in (1, 2)
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "data").exists()


def test_server_certificates_carry_all_advertised_names(tmp_path: Path) -> None:
    """Adding a name signs the certificates anew, under the same CA and the same keys."""
    data = tmp_path / "data"

    def files() -> dict[str, bytes]:
        return {str(p.relative_to(data)): p.read_bytes() for p in (data / "pki").rglob("*.pem")}

    with ServerProcess(data):
        before = files()
    with ServerProcess(data, "--advertise", "127.0.0.1,nc.example.com, 2001:db8::7"):
        after = files()
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"pki/grpc/server.pem", "pki/network/server.pem"}
    for name in changed:
        command = ["openssl", "x509", "-noout", "-ext", "subjectAltName", "-in", str(data / name)]
        names = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert "DNS:nc.example.com" in names
        assert "IP Address:2001:DB8:0:0:0:0:0:7" in names
