"""Who may call what, with the certificates that exist and some that should not."""

from datetime import timedelta

import pytest

from tests.e2e.contract_peer import BOOTSTRAP, HEALTH, INTERNAL, Caller, Tls
from tests.e2e.deployment import Deployment, Node, assert_denied
from tests.e2e.forgery import Signer

UNKNOWN = {"token": "0123456789abcdef"}
EVERYTHING = (
    ("HelloWorld", "pb.LiteKubeNCService"),
    ("HealthCheck", "pb.LiteKubeNCService"),
    ("GetBootStrapToken", "pb.LiteKubeNCService"),
    ("GetToken", "pb.LiteKubeNCService"),
    ("CheckConnState", "pb.LiteKubeNCService"),
    ("UnRegister", "pb.LiteKubeNCService"),
    ("GetRegistedIp", "pb.LiteKubeNCService"),
    ("HealthCheck", BOOTSTRAP),
    ("GetToken", BOOTSTRAP),
    ("UpdateSensorExpireTime", INTERNAL),
    ("Check", HEALTH),
)


def assert_nothing_allowed(caller: Caller) -> None:
    """Every method of every service ends as PERMISSION_DENIED."""
    for method, service in EVERYTHING:
        assert_denied(caller.call(method, service=service))
    watch = caller.client.wait(caller.watch_health())
    assert watch["status"] == "PERMISSION_DENIED"
    for version in ("v1", "v1alpha"):
        assert caller.reflect(version, INTERNAL, "")["status"] == "PERMISSION_DENIED"


def test_the_admin_may_do_everything(deployment: Deployment) -> None:
    """Nothing is denied to the admin, whatever its answer is."""
    for method, service in EVERYTHING:
        assert deployment.admin.call(method, service=service).status == "OK"


def test_a_node_may_ask_with_any_token_it_holds(deployment: Deployment) -> None:
    """Knowing a token is the right to ask about it, another node's too."""
    asker, other = deployment.register(), deployment.register()
    for node in (asker, other):
        assert asker.caller.call("CheckConnState", {"token": node.token}).code == "200"
        assert asker.caller.call("GetRegistedIp", {"token": node.token}).code == "200"
    assert asker.caller.call("CheckConnState", UNKNOWN).code == "400"


def test_a_node_has_no_admins_rights(deployment: Deployment) -> None:
    """A node cannot unregister another, nor make bootstrap tokens, nor change any expiry."""
    node, other = deployment.register(), deployment.register()
    denials = [
        node.caller.call("UnRegister", {"token": other.token}),
        node.caller.call("GetBootStrapToken", {"expireTime": 1}),
        node.caller.expire((other.token, 1)),
        node.caller.expire((node.token, 0)),
        node.caller.expire(),
    ]
    for denial in denials:
        assert_denied(denial, node.token, other.token)
    assert deployment.admin.call("CheckConnState", {"token": other.token}).code == "200"


def test_an_unregistered_node_may_do_nothing(deployment: Deployment) -> None:
    """It may unregister itself; then its certificate is denied, on open connections and on new."""
    node = deployment.register()
    assert node.caller.call("CheckConnState", {"token": node.token}).code == "200"
    assert node.caller.call("UnRegister", {"token": node.token}).response["result"] is True
    assert_nothing_allowed(node.caller)
    assert_nothing_allowed(node.caller.on("a new connection"))


def test_a_node_that_the_admin_removed_may_do_nothing(deployment: Deployment) -> None:
    """An open connection is worth nothing once the admin unregistered the node."""
    node = deployment.register()
    assert node.caller.call("HealthCheck").code == "200"
    assert deployment.admin.call("UnRegister", {"token": node.token}).code == "200"
    assert_denied(node.caller.call("UnRegister", {"token": node.token}), node.token)
    assert_nothing_allowed(node.caller)


def test_an_expired_node_may_do_nothing_until_it_is_revived(deployment: Deployment) -> None:
    """Expired: denied on both kinds of connection; revived: welcome again on both."""
    node = deployment.register()
    open_before, opened_after = node.caller, node.caller.on("a new connection")
    assert open_before.call("HealthCheck").code == "200"
    assert deployment.admin.expire((node.token, 1)).code == "200"
    assert_nothing_allowed(open_before)
    assert_nothing_allowed(opened_after)
    assert deployment.admin.expire((node.token, 0)).code == "200"
    for caller in (open_before, opened_after):
        assert caller.call("CheckConnState", {"token": node.token}).code == "200"
        assert caller.call("Check", service=HEALTH).response == {"status": "SERVING"}


@pytest.fixture(scope="module")
def grpc_ca(deployment: Deployment) -> Signer:
    """Whoever has the gRPC CA's key."""
    folder = deployment.server.data_dir / "pki" / "grpc"
    return Signer.stolen((folder / "ca.pem").read_text(), (folder / "ca-key.pem").read_text())


@pytest.mark.parametrize(
    ("common_names", "organizations"),
    [
        (["admin"], []),
        (["admin"], ["someone"]),
        (["admin"], ["NC:ADMIN"]),
        (["admin"], ["nc:admin "]),
        (["admin"], ["nc:admin,O=nc:admin"]),
        (["nc:admin"], ["lknm:register"]),
        (["0123456789abcdef0123456789abcdef"], ["lknm:register"]),
        ([], ["lknm:register"]),
        ([], []),
    ],
    ids=str,
)
def test_a_stranger_with_a_good_signature_may_do_nothing(
    deployment: Deployment, grpc_ca: Signer, common_names: list[str], organizations: list[str]
) -> None:
    """Signed by the gRPC CA, but neither an admin nor a registered node: PERMISSION_DENIED."""
    stranger = deployment.on_control_port(grpc_ca.sign(common_names, organizations))
    assert_nothing_allowed(stranger)


def test_two_names_are_no_name(deployment: Deployment, grpc_ca: Signer) -> None:
    """A certificate with a node's id and another name beside it is not that node's."""
    node = deployment.register()
    node_id = deployment.server.events()[-1]["node_id"]
    honest = deployment.on_control_port(grpc_ca.sign([node_id], ["lknm:register"]))
    assert honest.call("UnRegister", UNKNOWN).status == "PERMISSION_DENIED"
    assert honest.call("CheckConnState", {"token": node.token}).code == "200"
    for names in ([node_id, "x"], ["x", node_id]):
        assert_nothing_allowed(deployment.on_control_port(grpc_ca.sign(names, ["lknm:register"])))
    other_role = grpc_ca.sign([node_id], ["someone"])
    assert_nothing_allowed(deployment.on_control_port(other_role))


def _shaken_off(deployment: Deployment, tls: Tls | None) -> None:
    """The handshake fails, so that no call reaches the application."""
    answer = deployment.on_control_port(tls).call("HealthCheck")
    assert answer.status == "UNAVAILABLE", answer


def test_without_a_certificate_there_is_no_handshake(deployment: Deployment) -> None:
    """The control port closes on whoever shows no certificate, and on plain text."""
    _shaken_off(deployment, Tls(deployment.ca))
    _shaken_off(deployment, None)


def test_a_foreign_certificate_fails_the_handshake(deployment: Deployment) -> None:
    """A CA of the same name with another key signs nobody in; nor does the network CA."""
    forger = Signer.like(deployment.ca)
    _shaken_off(deployment, forger.sign(["admin"], ["nc:admin"])._replace(ca=deployment.ca))
    node = deployment.register()
    _shaken_off(deployment, node.network_tls._replace(ca=deployment.ca))
    network = deployment.server.data_dir / "pki" / "network"
    key, certificate = ((network / f"{n}.pem").read_text() for n in ("client-key", "client"))
    _shaken_off(deployment, Tls(deployment.ca, key, certificate))


def test_a_certificate_of_the_wrong_time_or_use_fails_the_handshake(
    deployment: Deployment, grpc_ca: Signer
) -> None:
    """An expired admin's certificate, and the server's own one, are no client's."""
    _shaken_off(deployment, grpc_ca.sign(["admin"], ["nc:admin"], ends_in=-timedelta(hours=1)))
    folder = deployment.server.data_dir / "pki" / "grpc"
    key, certificate = ((folder / f"{n}.pem").read_text() for n in ("server-key", "server"))
    _shaken_off(deployment, Tls(deployment.ca, key, certificate))


def test_a_client_that_trusts_another_ca_does_not_talk(deployment: Deployment) -> None:
    """The server is who its CA says: a client with the network CA alone refuses both ports."""
    node = deployment.register()
    wrong_ca = node.grpc_tls._replace(ca=node.network_tls.ca)
    _shaken_off(deployment, wrong_ca)
    bootstrap = Caller(deployment.client, deployment.server.bootstrap_port, wrong_ca)
    assert bootstrap.call("HealthCheck").status == "UNAVAILABLE"


@pytest.mark.parametrize("who", ["nobody", "node", "admin"])
def test_the_bootstrap_port_is_for_joining_alone(deployment: Deployment, who: str) -> None:
    """With or without a certificate: HealthCheck and GetToken; the rest is denied there."""
    node: Node = deployment.register()
    identities = {
        "nobody": Tls(deployment.ca),
        "node": node.grpc_tls,
        "admin": deployment.admin_tls,
    }
    caller = Caller(deployment.client, deployment.server.bootstrap_port, identities[who])
    token = {"bootStrapToken": deployment.issue()}
    for service in ("pb.LiteKubeNCService", BOOTSTRAP):
        assert caller.call("HealthCheck", service=service).response == {"code": "200"}
        deployment.node("", caller.call("GetToken", token, service=service))
    assert caller.call("HelloWorld").status == "OK"
    for method in ("GetBootStrapToken", "CheckConnState", "UnRegister", "GetRegistedIp"):
        assert_denied(caller.call(method, {"token": node.token} if "Boot" not in method else {}))
    assert caller.expire((node.token, 1)).status == "UNIMPLEMENTED"
    assert node.caller.call("CheckConnState", {"token": node.token}).code == "200"
