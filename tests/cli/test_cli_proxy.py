"""Proxies: those of the environment are ignored, that of `--proxy` is used for everything."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.agent_process import AgentProcess
from tests.support.connect_proxy import ConnectProxy
from tests.support.joined_machines import invite
from tests.support.programs import run_program
from tests.support.server_process import ServerProcess

NAMES = ("http_proxy", "https_proxy", "grpc_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY")


@pytest.fixture
def proxy() -> Iterator[ConnectProxy]:
    """A proxy that connects."""
    with ConnectProxy() as proxy:
        yield proxy


def join(state: Path, *arguments: str, **environment: str) -> AgentProcess:
    """An agent without a device, in this environment."""
    words = (*arguments, "--state-dir", str(state), "--no-tun")
    return AgentProcess(*words, environment={**os.environ, **environment})


def test_proxies_of_the_environment_are_ignored(
    server: ServerProcess,
    known_by: list[str],
    tmp_path: Path,
    proxy: ConnectProxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither enrolment, nor the link, nor ncadm asks a proxy that a variable names."""
    environment = dict.fromkeys(NAMES, proxy.url)
    with join(tmp_path / "a", invite(server), *known_by, **environment) as node:
        node.wait_for("agent.connected")
    for name in NAMES:
        monkeypatch.setenv(name, proxy.url)
    where = ("--data-dir", str(server.data_dir), "--port", str(server.control_port))
    assert run_program("ncadm", *where, "check-health").returncode == 0
    assert proxy.targets == []


def test_all_connections_go_through_the_proxy_that_is_named(
    server: ServerProcess,
    known_by: list[str],
    tmp_path: Path,
    proxy: ConnectProxy,
) -> None:
    """The handshake, GetToken and the link are CONNECTs, whatever `no_proxy` says."""
    url = proxy.url.replace("//", "//edge:p%40ss@")
    words = (invite(server), *known_by, "--proxy", url)
    with join(tmp_path / "a", *words, no_proxy="127.0.0.1,localhost") as node:
        node.wait_for("agent.connected")
    bootstrap, link = f"127.0.0.1:{server.bootstrap_port}", f"127.0.0.1:{server.link_port}"
    assert proxy.targets == [bootstrap, bootstrap, link]
    credentials = "proxy-authorization: basic zwrnztpwqhnz"  # edge:p@ss
    assert all(credentials in head.lower() for head in proxy.heads)


def test_a_proxy_that_refuses_is_named(
    server: ServerProcess,
    known_by: list[str],
    tmp_path: Path,
) -> None:
    """What the proxy answers is in the message, before joining and after."""
    token = invite(server)
    with ConnectProxy("403 Forbidden") as proxy:
        with join(tmp_path / "a", token, *known_by, "--proxy", proxy.url) as node:
            assert "403 Forbidden" in node.wait_for("agent.disconnected")["message"]
        with join(tmp_path / "a", token, *known_by) as node:
            node.wait_for("agent.connected")
        with join(tmp_path / "a", "--proxy", proxy.url) as node:
            assert "403" in node.wait_for("agent.disconnected")["message"]


@pytest.mark.parametrize("url", ["127.0.0.1:3128", "socks5://h:1", "http://h", "http://h:x/p"])
def test_what_is_no_proxy_is_wrong_usage(tmp_path: Path, url: str) -> None:
    """The message shows what a proxy looks like."""
    done = run_program("network-controller", "join", "--proxy", url, "--state-dir", str(tmp_path))
    assert done.returncode == 2
    assert "such as http://192.0.2.9:3128" in done.stderr
