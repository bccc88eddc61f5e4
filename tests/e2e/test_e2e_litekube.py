"""An upstream server is replaced by ours: no node is touched, and each reconnects."""

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nc.agent.program import StateFolder, open_link, renew
from nc.pki.certificates import ca_cert_hash
from tests.e2e.contract_peer import BOOTSTRAP, INTERNAL, Caller, ContractClient, Tls
from tests.e2e.deployment import Deployment, assert_denied, assert_mistake
from tests.e2e.e2e_process import ServerProcess, read_events
from tests.support.agent_process import AgentProcess
from tests.support.link_client import Identity, LinkClient
from tests.support.programs import run_here
from tests.support.upstream_server import GRPC_NAME, NETWORK_NAME, UpstreamServer

UUID = "7f9c2ba4-e88f-4827-8f5e-4a51d0a6c2b3"  # tokens need not look like ours
NODES = {"a" * 16: "10.1.1.3", UUID: "10.1.1.9", "tok/en+Of=another.Form": "10.1.1.7"}
TAKEN_OVER = "Of/our+own=agent"
NEW = "b" * 16  # had no address yet
BOOTSTRAP_TOKEN = "Upstream-Bootstrap"  # noqa: S105 - made up


@dataclass(frozen=True)
class Imported:
    """Our server in the place of an upstream one."""

    upstream: UpstreamServer
    deployment: Deployment
    identity: Identity  # of a node, for the link
    caller: Caller  # the same node, on the control port

    def address_of(self, token: str, identity: Identity | None = None) -> str:
        """The address that a link is handed."""

        async def link() -> str:
            port, tls = self.deployment.server.link_port, (identity or self.identity).context()
            async with await LinkClient.connect(port, token, tls) as client:
                return await client.hand_shake()

        return asyncio.run(link())

    def refusal_of(self, token: str, identity: Identity) -> str:
        port, tls = self.deployment.server.link_port, identity.context()
        closed = asyncio.run(LinkClient.refusal(port, token, tls))
        assert closed.code == 1008
        return closed.reason


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> UpstreamServer:
    server = UpstreamServer.made(tmp_path_factory.mktemp("upstream"))
    server.write_database(
        [*NODES.items(), (TAKEN_OVER, "10.1.1.11"), (NEW, "")],
        [(BOOTSTRAP_TOKEN, "-1"), ("c" * 16, "2020-01-01 00:00:00")],
    )
    return server


@pytest.fixture(scope="module")
def imported(
    upstream: UpstreamServer,
    tmp_path_factory: pytest.TempPathFactory,
    contract_client: ContractClient,
) -> Iterator[Imported]:
    """Imported by the configuration file, and started with it."""
    data, config = tmp_path_factory.mktemp("ours") / "data", upstream.write_config()
    where = ("--data-dir", str(data), "--config", str(config), "--timezone", "UTC")
    done = run_here("network-controller", "import-litekube", *where)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"serve --data-dir {data} --config {config}" in done.stdout
    with ServerProcess(data, "--config", str(config)) as server:
        grpc_pki = upstream.folder / "certs" / "grpc"
        deployment = Deployment(server, contract_client, grpc_pki=grpc_pki)
        tls = Tls(*upstream.grpc.issue(GRPC_NAME))
        caller = deployment.on_control_port(tls, "upstream")
        yield Imported(upstream, deployment, upstream.network.issue(NETWORK_NAME), caller)


def test_every_node_reconnects_with_its_address(imported: Imported) -> None:
    """With its old token and its old certificate; whoever had no address gets one."""
    for token, address in NODES.items():
        assert imported.address_of(token) == f"{address}/24"
    assert imported.address_of(NEW) == "10.1.1.5/24"


def test_an_imported_node_may_do_what_a_node_may(imported: Imported) -> None:
    """It asks about itself, and about other nodes whose tokens it knows; it administers nothing."""
    for token, address in NODES.items():
        for method, key in (("CheckConnState", "bindIp"), ("GetRegistedIp", "ip")):
            answer = imported.caller.call(method, {"token": token})
            assert (answer.code, answer.response[key]) == ("200", address)
    answer = imported.caller.call("CheckConnState", {"token": "reserverd"})
    assert answer.response["bindIp"] == "10.1.1.1"
    assert_mistake(imported.caller.call("CheckConnState", {"token": "unknown"}))
    assert imported.caller.call("HealthCheck").code == "200"
    assert_denied(imported.caller.call("GetBootStrapToken", {"expireTime": 1}))
    assert_denied(imported.caller.call("UpdateSensorExpireTime", {}, service=INTERNAL))


@pytest.mark.filterwarnings("ignore:Parsed a serial number")  # 0, of the upstream CAs
async def test_our_agent_takes_over_an_imported_node(imported: Imported, tmp_path: Path) -> None:
    """With its token alone: it keeps its address, and renews; the upstream certificate is out.

    It gets the name that it asks for.
    """
    server, state = imported.deployment.server, tmp_path / "state"
    pin = ca_cert_hash((imported.upstream.folder / "certs" / "grpc" / "ca.pem").read_bytes())
    invitation = f"{TAKEN_OVER}@127.0.0.1:{server.bootstrap_port}"
    how = ("--imported", "--ca-cert-hash", pin, "--no-tun", "--state-dir", state, "--name", "Web-1")
    with AgentProcess(invitation, *how) as agent:
        connected = await asyncio.to_thread(agent.wait_for, "agent.connected")
        assert connected["address"] == "10.1.1.11/24"
        assert agent.stop() == 0
        assert TAKEN_OVER not in agent.said
    folder = StateFolder(state)
    node = folder.load()
    assert node is not None
    node_id = node.node_id() or ""
    assert re.search(f"^joined .* as web-1 {node_id}$", agent.said, re.MULTILINE)
    refused = await asyncio.to_thread(imported.refusal_of, TAKEN_OVER, imported.identity)
    assert "not that of this certificate's node" in refused
    await renew(folder, node)
    async with open_link(node) as link:
        assert str(link.interface) == "10.1.1.11/24"


def test_ncadm_takes_the_tokens_of_imported_nodes(imported: Imported) -> None:
    """Whatever their form: where a node token is asked for, as a reference, and of the log."""
    server, pki = imported.deployment.server, imported.upstream.folder / "certs" / "grpc"
    files = (("cacert", "ca"), ("cert", "client"), ("key", "client-key"))
    tls = [f"--{option}={pki / name}.pem" for option, name in files]
    where = ("--port", str(server.grpc_port), *tls)
    for token, address in NODES.items():
        for command in (("check-conn-state", "--node-token", token), ("nodes", "show", token)):
            done = run_here("ncadm", *where, *command)
            assert (done.returncode, address in done.stdout) == (0, True), done
        log = ("log", "show", "--data-dir", str(server.data_dir), "--node", token)
        assert f"address={address}" in run_here("network-controller", *log).stdout
    known = run_here("ncadm", *where, "check-conn-state", "--node-token", "a" * 15)
    assert (known.returncode, "15 digits: was it copied whole?" in known.stderr) == (1, True)


def test_the_certificate_is_good_for_imported_nodes_alone(imported: Imported) -> None:
    """A node that enrolled here is not opened, asked about or unregistered with it."""
    node = imported.deployment.register()
    reason = imported.refusal_of(node.token, imported.identity)
    assert "not that of this certificate's node" in reason
    for method in ("CheckConnState", "GetRegistedIp", "UnRegister"):
        assert_denied(imported.caller.call(method, {"token": node.token}), node.token)
    assert imported.deployment.admin.call("CheckConnState", {"token": node.token}).code == "200"


def test_another_name_of_the_imported_ca_is_nobodys(imported: Imported) -> None:
    """Only the names that upstream servers give to nodes; and each for its own port."""
    other = imported.upstream.network.issue(GRPC_NAME)
    assert imported.refusal_of("a" * 16, other)
    stranger = Tls(*imported.upstream.grpc.issue(NETWORK_NAME))
    caller = imported.deployment.on_control_port(stranger, "stranger")
    assert_denied(caller.call("CheckConnState", {"token": "a" * 16}))


def test_an_imported_bootstrap_token_admits_nodes(imported: Imported) -> None:
    """Whatever its form; an expired one was left out."""
    node = imported.deployment.register(BOOTSTRAP_TOKEN)
    identity = Identity(*(str(part) for part in node.network_tls))
    assert imported.address_of(node.token, identity).endswith("/24")
    refused = imported.deployment.newcomer.call(
        "GetToken", {"bootStrapToken": "c" * 16}, service=BOOTSTRAP
    )
    assert refused.code == "400"


def test_an_imported_node_leaves_by_its_own_token(imported: Imported) -> None:
    """UnRegister removes the node whose token comes with the call."""
    gone = "tok/en+Of=another.Form"
    assert imported.caller.call("UnRegister", {"token": gone}).response["result"] is True
    assert_mistake(imported.caller.call("CheckConnState", {"token": gone}), gone)
    assert imported.refusal_of(gone, imported.identity)
    assert imported.address_of(UUID) == "10.1.1.9/24"


def test_the_administrator_got_a_new_pair(imported: Imported) -> None:
    """The upstream `client-key.pem` was a node's: it is kept, and nothing was signed for it."""
    folder = imported.upstream.folder / "certs" / "grpc"
    assert (folder / "client-key.kept-1.pem").exists()
    assert imported.deployment.admin.call("GetBootStrapToken", {"expireTime": 1}).code == "200"


def test_no_token_is_in_the_log(imported: Imported) -> None:
    """Nor in any file that the import or the server has made."""
    data = imported.deployment.server.data_dir
    server = imported.deployment.server
    said = "\n".join([*server.stderr.so_far, *server.stdout.so_far]).encode()
    contents = [path.read_bytes() for path in data.rglob("*") if path.is_file()]
    for token in (*NODES, TAKEN_OVER, NEW, BOOTSTRAP_TOKEN):
        assert not any(token.encode() in content for content in (said, *contents))
    kinds: dict[str, list[Any]] = {}
    for event in read_events(data):
        kinds.setdefault(event["type"], []).append(event)
    assert kinds["LitekubeImported"][0]["actor"] == "import:litekube"
    assert json.dumps(kinds["NodeRegistered"]).count('"imported": true') == len(NODES) + 2


def test_copied_authorities_serve_without_the_configuration(
    tmp_path: Path, contract_client: ContractClient
) -> None:
    """Named by options, the CAs are copied, and the upstream folders are not touched at all."""
    upstream = UpstreamServer.made(tmp_path / "upstream")
    upstream.write_database([("a" * 16, "10.9.0.7")], has_server=False)
    before = {path: path.read_bytes() for path in upstream.folder.rglob("*") if path.is_file()}
    data = tmp_path / "data"
    where = ("--data-dir", str(data), "--db", str(upstream.database))
    network = ("--network-addr", "10.9.0.1/16")
    options = (*where, *upstream.certificate_options, *network)
    done = run_here("network-controller", "import-litekube", *options)
    assert (done.returncode, done.stderr) == (0, "")
    for _ in range(2):  # and after a restart
        with ServerProcess(data, *network) as server:
            deployment = Deployment(server, contract_client)
            identity = upstream.network.issue(NETWORK_NAME)
            caller = deployment.on_control_port(Tls(*upstream.grpc.issue(GRPC_NAME)))
            ours = Imported(upstream, deployment, identity, caller)
            assert ours.address_of("a" * 16) == "10.9.0.7/16"
    after = {path: path.read_bytes() for path in upstream.folder.rglob("*") if path.is_file()}
    assert after == before
