"""Plain-text mode: no identity, everything allowed, and nobody can say they were not told."""

from tests.e2e.contract_peer import BOOTSTRAP, Tls
from tests.e2e.deployment import Deployment, assert_mistake


def test_everything_works_without_certificates(plaintext_deployment: Deployment) -> None:
    """The whole life of a node through both ports, with no identity anywhere."""
    admin, newcomer = plaintext_deployment.admin, plaintext_deployment.newcomer
    node, other = plaintext_deployment.register(), plaintext_deployment.register()
    assert admin.call("HelloWorld").status == "OK"
    for caller in (admin, newcomer):
        assert caller.call("CheckConnState", {"token": node.token}).response["connState"] == -1
        assert caller.call("GetRegistedIp", {"token": node.token}).code == "200"
        assert caller.call("HealthCheck", service=BOOTSTRAP).code == "200"
    assert admin.expire((node.token, 1)).code == "200"
    assert_mistake(admin.call("CheckConnState", {"token": node.token}), node.token)
    assert admin.expire((node.token, 0)).code == "200"
    assert admin.call("UnRegister", {"token": node.token}).response["result"] is True
    assert newcomer.call("UnRegister", {"token": other.token}).response["result"] is True


def test_nodes_get_certificates_all_the_same(plaintext_deployment: Deployment) -> None:
    """A node that joins in plain text can use its certificates once TLS is on."""
    node = plaintext_deployment.register()
    assert node.caller.tls is None
    assert node.network_tls.key is not None
    assert set(node.response.values()).isdisjoint({""})


def test_tls_is_not_understood(plaintext_deployment: Deployment) -> None:
    """A client that insists on TLS gets no connection, rather than a silent downgrade."""
    assert plaintext_deployment.grpc_pki is not None
    ca = (plaintext_deployment.grpc_pki / "ca.pem").read_text()
    caller = plaintext_deployment.on_control_port(Tls(ca))
    assert caller.call("HealthCheck").status == "UNAVAILABLE"


def test_the_server_says_so_loudly(plaintext_deployment: Deployment) -> None:
    """A warning in the log lines, and the words NO TLS in what the operator sees at start."""
    warning = plaintext_deployment.server.wait_for("server.plaintext")
    assert warning["level"] == "warning"
    assert "every client that reaches the ports may do everything" in warning["message"]
    greeting = "\n".join(plaintext_deployment.server.stdout.so_far)
    assert "NO TLS" in greeting
    assert greeting.count("plain text") == 3


def test_a_server_with_tls_does_not(deployment: Deployment) -> None:
    """Whoever runs with TLS is not told of any danger."""
    assert "NO TLS" not in "\n".join(deployment.server.stdout.so_far)
    assert "server.plaintext" not in {line["event"] for line in deployment.server.log_lines()}


def test_whoever_calls_is_anonymous(plaintext_deployment: Deployment) -> None:
    """Nobody is recorded as somebody, not even who shows up as the admin would."""
    plaintext_deployment.issue()
    issued = [e for e in plaintext_deployment.server.events() if e["type"] == "TokenIssued"]
    assert {event["actor"] for event in issued} == {"anonymous"}
